"""A gateway put together: each message belongs to exactly one lane, and the watchdog bites only the dead."""

from pathlib import Path

import pytest

from core.clock import ManualClock
from core.registry import RegistryEntry, encode_chunks
from core.settings import Settings
from gateway.process import Gateway, _is_sos


@pytest.mark.parametrize(
    ("topic", "is_sos"),
    [
        ("partheland/borsdorf/sos/B-1/up", True),
        ("partheland/borsdorf/lamp/B-1/up", False),
        ("partheland/borsdorf/lamp/sos/up", False),
        ("partheland/sos/lamp/B-1/up", False),
    ],
)
def test_only_what_the_sos_session_hears_passes_the_other_lane_by(topic: str, is_sos: bool) -> None:
    assert _is_sos(topic) == is_sos


def test_the_watchdog_does_not_bite_a_session_that_is_about_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network servers are heard when the registry has come; the watchdog may look at that very instant."""
    gateway = Gateway(Settings(), tmp_path, ManualClock(1_768_068_000_000))
    gateway.spool.open()
    for session in (gateway.uplink_session, gateway.sessions["sos"], gateway.sessions["native"]):
        monkeypatch.setattr(session, "alive", lambda: True)
    monkeypatch.setattr(gateway.uplink, "alive", lambda: True)
    monkeypatch.setattr(gateway.sessions["radio"], "start", lambda: gateway._check_threads(1_768_068_000.0))
    (chunk,) = encode_chunks([RegistryEntry("L1", "lamp", "object", "0011223344556677", "naunhof")], 1)
    gateway._learn(chunk)
    assert gateway.fatal is None
    gateway.spool.close()
    for session in (gateway.uplink_session, *gateway.sessions.values()):
        session.stop()
