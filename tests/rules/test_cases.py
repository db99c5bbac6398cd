from collections.abc import Iterator
from pathlib import Path

import pytest

from core.device import Device
from core.frame import Refusal
from core.reading import Scalar
from ingest.books import Verdict
from rules.errors import DeskError, NotNowError
from rules.records import SosCase
from tests.rules.platform import Desk, desk
from tests.rules.town import MINUTE_MS, T0, Said

BUTTON = Device(device_id="NAU-S1", kind="sos", town="naunhof", name="Notrufsäule am Markt", interval_s=3600)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Desk]:
    """Somebody who answers one button."""
    with desk(tmp_path / "centre") as found:
        found.commission([BUTTON])
        yield found


def press(
    minute: float,
    press_id: int | None = 1,
    event: str = "press",
    seq: int = 0,
    device_id: str = "NAU-S1",
    late_ms: int = 300,
) -> Said:
    values: dict[str, Scalar] = {"event": event} if press_id is None else {"event": event, "press_id": float(press_id)}
    return Said(device_id, T0 + int(minute * MINUTE_MS), values, kind="sos", seq=seq, late_ms=late_ms)


def come(post: Desk, *said: Said, verdict: Verdict = Verdict.ACCEPTED) -> list[SosCase]:
    """These come through the journal; the cases after it, oldest first."""
    if said:
        post.journal_in(said, verdict)
    watch = post.rules.sos
    blocks = post.journal.read(watch.position)
    presses = [one for block in blocks for one in watch._presses(block)]
    if presses:
        assert watch._commit(presses, blocks[-1].next)
    watch.position = blocks[-1].next
    return post.rules.cases.page()[0][::-1]


def test_a_press_opens_a_case_and_a_finding(post: Desk) -> None:
    (case,) = come(post, press(0))
    assert (case.state, case.event, case.town, case.presses, case.is_test, case.is_late) == (
        "received", "press", "naunhof", 1, False, False,
    )  # fmt: skip
    (finding,) = post.rules.findings.page(rule="sos_press")
    assert (finding.subject, finding.priority, finding.closed_ms) == ("NAU-S1", "immediate", None)


def test_the_same_press_sent_three_times_is_one(post: Desk) -> None:
    (case,) = come(post, press(0, seq=1), press(0.1, seq=2), press(0.2, seq=3))
    assert case.presses == 1


def test_another_press_joins_the_open_case_and_counts(post: Desk) -> None:
    (case,) = come(post, press(0, 1), press(2, 2, "long_press"))
    assert (case.presses, case.last_press_ms) == (2, T0 + 2 * MINUTE_MS)
    assert [one.action for one in case.steps] == ["press", "long_press"]


def test_after_closing_a_press_opens_a_new_case(post: Desk) -> None:
    come(post, press(0, 1))
    for action in ("accept", "callback", "informed"):
        post.rules.cases.act(1, action, "lena")
    closed = post.rules.cases.act(1, "close", "lena", "Kind hat gedrückt", "false")
    assert (closed.state, closed.cause, closed.accepted_by) == ("closed", "false", "lena")
    assert post.rules.findings.page(rule="sos_press")[0].closed_ms is not None
    assert [one.state for one in come(post, press(30, 2))] == ["closed", "received"]


def test_a_button_that_forgot_its_counters_is_heard_all_the_same(post: Desk) -> None:
    come(post, press(0, 1))
    post.rules.cases.act(1, "accept", "lena")
    post.rules.cases.act(1, "close", "lena", cause="real")
    assert len(come(post, press(60, 1))) == 2


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN_DEVICE, Verdict.WRONG_KIND])
def test_a_button_that_nobody_knows_is_heard(post: Desk, verdict: Verdict) -> None:
    (case,) = come(post, press(0, device_id="GRO-S9"), verdict=verdict)
    assert (case.device_id, case.town) == ("GRO-S9", None)
    assert [one.id for one in post.rules.cases.page(town="naunhof")[0]] == [1]


def test_what_a_button_says_that_nobody_knows_is_an_alarm(post: Desk) -> None:
    (case,) = come(post, press(0, event="panic_ultra"))
    assert case.event == "unknown"


def said_by_the_button(seq: int, **values: Scalar) -> Said:
    return Said("NAU-S1", T0, values, kind="sos", seq=seq)


def test_a_button_that_says_a_number_and_no_event_is_an_alarm_its_battery_alone_is_not(post: Desk) -> None:
    assert come(post, said_by_the_button(1, battery_pct=80.0)) == []
    (case,) = come(post, said_by_the_button(2, press_id=7.0))
    assert case.event == "unknown"


def test_a_button_on_the_topic_of_lamps_is_heard(post: Desk) -> None:
    (case,) = come(post, Said("NAU-S1", T0, {"power_w": 1.0}, seq=1), verdict=Verdict.WRONG_KIND)
    assert (case.device_id, case.event) == ("NAU-S1", "unknown")


def test_what_a_button_sends_and_nobody_can_decode_is_an_alarm_once(post: Desk) -> None:
    topic = "partheland/naunhof/sos/NAU-S1/up"
    refusal = Refusal("bad_message", "no JSON", "message", topic, "NAU-S1", "sos", T0, b"{press")
    for _ in range(2):
        post.refuse_in(refusal)
        cases = come(post)
    assert [(one.event, one.presses) for one in cases] == [("unknown", 1)]


def test_a_real_press_is_not_taken_for_the_test_of_the_same_number(post: Desk) -> None:
    (case,) = come(post, press(0, 7, "test", seq=1), press(1, 7, "press", seq=2))
    assert (case.is_test, case.presses) == (False, 2)


@pytest.mark.parametrize("event", ["heartbeat", "cancel"])
def test_a_heartbeat_and_a_cancel_without_a_case_open_none(post: Desk, event: str) -> None:
    assert come(post, press(0, event=event)) == []


def test_a_cancel_at_the_button_is_noted_and_closes_nothing(post: Desk) -> None:
    (case,) = come(post, press(0, 1), press(1, 2, "cancel"))
    assert (case.state, case.presses) == ("received", 1)
    assert [one.action for one in case.steps] == ["press", "cancel"]


def test_a_test_is_marked_until_a_real_press_joins(post: Desk) -> None:
    (case,) = come(post, press(0, 1, "test"))
    assert case.is_test
    (case,) = come(post, press(1, 2, "press"))
    assert (case.is_test, case.event) == (False, "press")


def test_a_press_that_comes_late_is_marked_and_not_swallowed(post: Desk) -> None:
    (case,) = come(post, press(0, late_ms=11 * MINUTE_MS))
    assert case.is_late


def test_a_repeat_of_the_whole_journal_adds_nothing(post: Desk) -> None:
    come(post, press(0, 1), press(1, 2))
    before = post.rules.cases.page()[0]
    post.rules.sos.position = 0
    post.rules.sos._commit([one for block in post.journal.read(0) for one in post.rules.sos._presses(block)], 2)
    assert post.rules.cases.page()[0] == before


def test_steps_are_possible_only_in_their_order(post: Desk) -> None:
    come(post, press(0))
    for action in ("callback", "informed"):
        with pytest.raises(NotNowError, match="is received; possible now: accept"):
            post.rules.cases.act(1, action, "lena")
    with pytest.raises(DeskError, match="a case is closed with a cause; expected one of real"):
        post.rules.cases.act(1, "close", "lena")
    post.rules.cases.act(1, "accept", "lena")
    with pytest.raises(NotNowError, match="is accepted by lena; possible now: callback, informed, close"):
        post.rules.cases.act(1, "accept", "otto")  # of two who accept at once the second one is told
    post.rules.cases.act(1, "close", "otto", cause="test")
    with pytest.raises(NotNowError, match="is closed by lena; possible now: nothing"):
        post.rules.cases.act(1, "accept", "lena")


def test_a_lamp_with_the_same_words_is_no_button(post: Desk) -> None:
    post.journal_in([Said("NAU-L1", T0, {"power_w": 3.0}, seq=1)])
    assert come(post, Said("NAU-L1", T0, {"power_w": 3.0}, seq=2)) == []
