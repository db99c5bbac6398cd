"""`partheland rules explain` and its pages on a running centre: what fired, what did not, and what was so before.

The platform's clock runs 600 times as fast: a quarter of an hour is a second and a half.
"""

import json
import re
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

import pytest

from core.clock import iso, parse_instant_ms
from tests.support.fleet import Fleet, topic_of
from tests.support.frames import own_rules
from tests.support.platform import REPOSITORY, Platform, command, until

LIT, DARK, GONE = "NAU-L0001", "NAU-L0002", "NAU-L0003"
OTHERS = [f"NAU-L{number:04d}" for number in range(4, 10)]
SAMPLE_S = 1.5
HEADER = "device_id,kind,town,nominal_w,interval_s,street,pole"
CLOCK = r"\d\d:\d\d Uhr"
DAY = rf"(Mo|Di|Mi|Do|Fr|Sa|So) \d\d\.\d\d\., {CLOCK}"


class Street:
    """Lamps that report each quarter of an hour; one goes dark, one falls silent."""

    def __init__(self, port: int) -> None:
        self.fleet = Fleet(port)
        self.dark: set[str] = set()
        self.gone: set[str] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        seq = 0
        while not self._ending.wait(SAMPLE_S):
            seq += 1
            for device_id in {LIT, DARK, GONE, *OTHERS} - self.gone:
                values = {
                    "power_w": 0.4 if device_id in self.dark else 39.0,
                    "dim_pct": 100,
                    "voltage_v": 229 + seq % 3,
                }
                message = json.dumps({"boot": 1, "seq": seq, "values": values})
                self.fleet.publish(topic_of(device_id, "lamp"), message, (device_id, seq))

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()
        self.fleet.stop()


@dataclass(frozen=True)
class Night:
    """A centre that has found a dark lamp and a silent one; `well_ms` is when nothing was wrong yet."""

    platform: Platform
    well_ms: int

    def says(self, rule: str, device_id: str, at_ms: int | None = None) -> str:
        """The command's first line, which is what the API says too; the instant on both."""
        asked = ["rules", "explain", "--rule", rule, "--device", device_id, "--data", str(self.platform.data)]
        found, _ = command(*asked, *(["--at", str(at_ms)] if at_ms else []))
        return found.splitlines()[0]

    def explained(self, rule: str, device_id: str, at_ms: int) -> dict[str, object]:
        path = f"/api/v1/rules/{rule}/explain?device_id={device_id}&at={at_ms}"
        found: dict[str, object] = self.platform.get(path)
        return found

    def page(self, path: str) -> str:
        """The text of a page, without its tags."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.platform.http_port}{path}", timeout=60) as answer:
            text = re.sub(r"<[^>]+>", " ", answer.read().decode())
        return re.sub(r"\s+", " ", unescape(text))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    platform = Platform(tmp_path_factory.mktemp("night") / "platform", lapse=("2026-01-10T18:00:00Z", 600.0))
    own_rules(platform.data, late="24h")
    silent = (REPOSITORY / "rules" / "library" / "devices.toml").read_text(encoding="utf-8").split("\n[rule.")[1]
    rule = "[rule." + silent.split("\n\n[[")[0].replace("misses_max = 96", "misses_max = 4")
    (platform.data / "rules" / "silent.toml").write_text(rule, encoding="utf-8")
    street = None
    try:
        platform.start()
        rows = [f"{one},lamp,naunhof,40,900,Lange Straße,{one[-2:]}" for one in (LIT, DARK, GONE, *OTHERS)]
        platform.commission(rows, HEADER)
        street = Street(platform.broker.port)
        until("lamps are heard", lambda: bool(platform.get(f"/api/v1/readings/count?device_id={DARK}")["count"] >= 4))
        well_ms = newest_ms(platform, DARK)
        street.dark.add(DARK)
        street.gone.add(GONE)
        until("both are found", lambda: {"lamp_out", "silent"} <= rules_found(platform), 90)
        yield Night(platform, well_ms)
    finally:
        if street is not None:
            street.stop()
        platform.stop()


def newest_ms(platform: Platform, device_id: str) -> int:
    items = platform.get(f"/api/v1/readings?device_id={device_id}")["items"]
    return max(parse_instant_ms(one["received"]) for one in items)


def rules_found(platform: Platform) -> set[str]:
    return {one["rule"] for one in platform.get("/api/v1/findings")["items"]}


def test_what_fired_says_so_with_the_words_of_its_finding(night: Night) -> None:
    (found,) = night.platform.get(f"/api/v1/findings?rule=lamp_out&subject={DARK}")["items"]
    said = night.says("lamp_out", DARK)
    assert re.fullmatch(rf"Ausgelöst \(gemeldet {DAY}\): {re.escape(found['text_de'])}", said), said
    assert "soll mit 100 % brennen und nimmt nur 0,4 W auf; zu erwarten sind 40 W. Seit" in said


def test_what_did_not_fire_says_what_was_measured_and_what_it_would_take(night: Night) -> None:
    said = night.says("lamp_out", LIT)
    assert re.fullmatch(
        rf"Nicht ausgelöst: Um {CLOCK} nahm die Lampe 39 W auf; gemeldet wird erst bei weniger als 10 W\.", said
    ), said


def test_before_it_was_dark_nothing_had_fired_and_shortly_after_it_was_too_soon(night: Night) -> None:
    before = night.explained("lamp_out", DARK, night.well_ms)
    assert before["verdict"] in ("not_fired", "not_judged")
    assert night.says("lamp_out", DARK, night.well_ms) == before["sentence_de"]
    (found,) = night.platform.get(f"/api/v1/findings?rule=lamp_out&subject={DARK}")["items"]
    soon = night.explained("lamp_out", DARK, parse_instant_ms(found["since"]) + 120_000)
    assert (soon["verdict"], str(soon["sentence_de"])[:43]) == (
        "not_yet",
        "Noch nicht: erst 1 von 2 Messwerten, seit 0",
    )


def test_who_is_silent_and_who_is_not_is_told_with_the_messages_that_are_missing(night: Night) -> None:
    gone = night.says("silent", GONE)
    assert gone.startswith("Ausgelöst (gemeldet ") and "Sonst meldet es sich alle 15 Minuten" in gone, gone
    assert "mehr als 4 Meldungen in Folge" in gone
    heard = night.says("silent", LIT)
    assert re.match(rf"(Nicht ausgelöst|Noch nicht): zuletzt gehört {DAY}; ", heard), heard
    assert "Gemeldet wird erst, wenn mehr als 4 in Folge fehlen: So viele kann sein Funk verlieren" in heard
    assert "gilt nicht für dieses Gerät, sondern für Stellplätze." in night.says("bay_stuck", LIT)


def test_the_pages_say_the_same(night: Night) -> None:
    at = iso(night.well_ms)
    page = night.page(f"/geraet/{DARK}/warum?rule=lamp_out&at={at}")
    assert str(night.explained("lamp_out", DARK, night.well_ms)["sentence_de"]) in page
    (ticket,) = [one for one in night.platform.get("/api/v1/tickets")["items"] if one["subject"] == DARK]
    page = night.page(f"/bauhof/{ticket['id']}")
    assert ticket["text_de"] in page
    assert "25 %" in page, "the numbers of the rule as they held for this lamp"
