"""Identities of LoRaWAN frames: by example, by property, and on two real captures."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.replay import replay_messages
from deploy.replay_source import ReplayOptions, Tally
from gateway.lorawan import parse_time_ms
from gateway.sessions import Identity, SessionTracker
from tests.support.require import require

T0_S = 1_768_068_000
PAYLOADS = Path(__file__).parents[1] / "payloads"
SHARED = Path(os.environ.get("PARTHELAND_SHARED", str(Path(__file__).parents[3] / "shared")))


class Frame(NamedTuple):
    key: str
    f_cnt: int
    payload: bytes
    at_s: int


def hear(tracker: SessionTracker, frame: Frame, received_s: int | None = None, lose_nothing: bool = False) -> Identity:
    received_s = frame.at_s if received_s is None else received_s
    return tracker.identify(
        "L1", frame.key, frame.f_cnt, frame.payload, frame.at_s * 1000, received_s * 1000, lose_nothing
    )


def run(*frames: Frame) -> tuple[SessionTracker, list[Identity]]:
    tracker = SessionTracker()
    return tracker, [hear(tracker, frame) for frame in frames]


def test_a_session_without_a_join_begins_with_its_first_frame() -> None:
    _, identities = run(Frame("a", 7, b"x", T0_S), Frame("a", 8, b"x", T0_S + 60))
    assert identities == [(T0_S, 7, False), (T0_S, 8, False)]


def test_a_frame_sent_again_keeps_its_identity() -> None:
    frame = Frame("a", 7, b"x", T0_S)
    tracker, identities = run(frame, frame._replace(at_s=T0_S + 197), frame._replace(at_s=T0_S + 1900))
    assert [identity[:2] for identity in identities] == [(T0_S, 7)] * 3
    assert [identity.repeat for identity in identities] == [False, True, True]
    assert tracker.counts.repeats == 2


def test_a_late_frame_takes_its_place_in_the_session() -> None:
    _, identities = run(Frame("a", 7, b"x", T0_S), Frame("a", 9, b"z", T0_S + 20), Frame("a", 8, b"y", T0_S + 10))
    assert [identity[:2] for identity in identities] == [(T0_S, 7), (T0_S, 9), (T0_S, 8)]


def test_the_same_counter_with_another_payload_is_a_new_session() -> None:
    tracker, identities = run(Frame("a", 0, b"x", T0_S), Frame("a", 0, b"y", T0_S + 5))
    assert identities == [(T0_S, 0, False), (T0_S + 5, 0, False)]
    assert tracker.counts.counter_resets == 1


def test_a_counter_far_back_is_a_new_session() -> None:
    _, identities = run(Frame("a", 1000, b"x", T0_S), Frame("a", 2, b"x", T0_S + 5))
    assert identities[1] == (T0_S + 5, 2, False)


def test_a_button_with_a_new_battery_that_says_the_same_again_is_not_taken_for_a_copy() -> None:
    press = Frame("a", 1, b"press 1", T0_S)
    after_a_day = [Frame("a", 0, b"heartbeat", T0_S + 86_000), press._replace(at_s=T0_S + 86_400)]
    _, identities = run(Frame("a", 0, b"heartbeat", T0_S - 60), press, *after_a_day)
    assert len(set(identities)) == 4


def test_a_button_whose_first_frame_was_lost_is_not_taken_for_a_copy_either() -> None:
    tracker, press = SessionTracker(), Frame("a", 1, b"press 1", T0_S)
    again = press._replace(at_s=T0_S + 86_400)
    identities = [hear(tracker, frame, lose_nothing=True) for frame in (press, again)]
    assert [identity.repeat for identity in identities] == [False, False]


def test_a_frame_resent_48_days_later_keeps_its_identity() -> None:
    frame = Frame("a", 809, b"x", T0_S)
    _, identities = run(frame, frame._replace(at_s=T0_S + 4_194_663))
    assert identities[1] == (T0_S, 809, True)


def test_a_join_begins_a_session_and_the_same_join_again_does_not() -> None:
    tracker = SessionTracker()
    first = tracker.join("L1", "a", T0_S * 1000, T0_S * 1000)
    assert tracker.join("L1", "a", T0_S * 1000, T0_S * 1000 + 90_000) == first == T0_S
    assert hear(tracker, Frame("a", 0, b"x", T0_S + 1)) == (T0_S, 0, False)
    assert tracker.join("L1", "b", T0_S * 1000 + 60_000, T0_S * 1000 + 60_000) == T0_S + 60
    assert tracker.counts.joins == 2


def test_a_first_uplink_that_overtakes_its_join_is_in_the_joined_session() -> None:
    tracker, identities = run(Frame("a", 0, b"x", T0_S))
    assert tracker.join("L1", "a", (T0_S + 2) * 1000, (T0_S + 2) * 1000) == identities[0].boot
    assert hear(tracker, Frame("a", 1, b"y", T0_S + 60)).boot == identities[0].boot


def test_a_late_frame_of_the_session_before_keeps_that_sessions_boot() -> None:
    late = Frame("a", 42, b"z", T0_S + 5)
    tracker, identities = run(Frame("a", 41, b"x", T0_S), Frame("b", 0, b"y", T0_S + 10), late)
    assert identities[2] == (T0_S, 42, False)
    assert (tracker.counts.new_keys, tracker.counts.counter_resets) == (1, 0)


def test_a_device_in_a_join_loop_keeps_the_session_it_speaks_in() -> None:
    tracker, identities = run(Frame("a", 41, b"x", T0_S))
    boots = [tracker.join("L1", f"k{n}", (T0_S + n) * 1000, (T0_S + n) * 1000) for n in range(1, 50)]
    assert boots == sorted(set(boots))
    assert hear(tracker, Frame("a", 42, b"y", T0_S + 60)).boot == identities[0].boot


def test_redelivery_after_a_crash_across_a_counter_reset_gives_the_same_identities() -> None:
    frames = [Frame("a", 999, b"x", T0_S), Frame("a", 1000, b"y", T0_S + 60), Frame("a", 0, b"z", T0_S + 120)]
    tracker, first = run(*frames)
    again = [hear(tracker, frame, received_s=T0_S + 50_000) for frame in frames]
    assert [identity[:2] for identity in again] == [identity[:2] for identity in first]
    assert hear(tracker, Frame("a", 1, b"w", T0_S + 180)) == (T0_S + 120, 1, False)


def test_a_counter_of_16_bits_goes_on_counting_when_it_wraps() -> None:
    tracker, identities = run(
        Frame("a", 65_534, b"1", T0_S),
        Frame("a", 1, b"2", T0_S + 30),
        Frame("a", 65_535, b"3", T0_S + 10),
        Frame("a", 0, b"4", T0_S + 20),
        Frame("a", 65_534, b"1", T0_S),
        Frame("a", 2, b"5", T0_S + 40),
    )
    assert [identity.seq for identity in identities] == [65_534, 65_537, 65_535, 65_536, 65_534, 65_538]
    assert {identity.boot for identity in identities} == {T0_S}
    assert (tracker.counts.wraps, tracker.counts.repeats, tracker.counts.counter_resets) == (1, 1, 0)


def test_a_counter_of_32_bits_passes_65536() -> None:
    _, identities = run(Frame("a", 65_535, b"1", T0_S), Frame("a", 65_536, b"2", T0_S), Frame("a", 65_537, b"3", T0_S))
    assert [identity.seq for identity in identities] == [65_535, 65_536, 65_537]


@pytest.mark.parametrize("t_ms", [None, 316_000_000_000, -62_135_596_800_000, 4_102_444_800_000])
def test_a_session_with_an_absurd_time_begins_when_it_was_received(t_ms: int | None) -> None:
    assert SessionTracker().identify("L1", "a", 0, b"x", t_ms, T0_S * 1000).boot == T0_S


def test_boots_grow_even_when_time_goes_back() -> None:
    _, identities = run(*[Frame(f"k{n}", 0, b"x", T0_S - n) for n in range(5)])
    assert [identity.boot for identity in identities] == [T0_S + n for n in range(5)]


def test_kept_state_goes_on_where_it_was_and_is_small() -> None:
    frames = [Frame("a", n, b"%d" % n, T0_S + n) for n in range(200)] + [Frame("b", 0, b"x", T0_S + 300)]
    tracker, identities = run(*frames)
    kept = tracker.take_changes()
    assert tracker.take_changes() == {}
    restarted = SessionTracker()
    restarted.load(kept)
    assert [hear(restarted, frame)[:2] for frame in frames[-60:]] == [identity[:2] for identity in identities[-60:]]
    assert restarted.counts.repeats == 60
    assert len(kept["L1"]) < 900


def test_damaged_kept_state_is_said_with_the_device() -> None:
    with pytest.raises(ValueError, match="device L1"):
        SessionTracker().load({"L1": b"\xff\x00"})


class Session(NamedTuple):
    """One session of a simulated device: a restart after `pause_s`, with a new key or the same."""

    pause_s: int  # more than an hour: a restart that says the same within the hour can't be told apart
    new_key: bool
    start: int
    length: int  # not so few that a late frame comes after the second restart: two sessions are remembered


SESSIONS = st.lists(
    st.builds(
        Session, st.integers(7200, 90_000), st.booleans(), st.sampled_from([0, 0, 5, 65_530]), st.integers(6, 25)
    ),
    min_size=1,
    max_size=4,
)


def air(sessions: list[Session], rng: Random, alike: bool) -> list[tuple[int, Frame]]:
    """Deliveries (number of the true frame, frame): a tenth lost, a quarter twice, all a bit disordered."""
    at_s, frames = T0_S, list[Frame]()
    for number, session in enumerate(sessions):
        at_s += session.pause_s
        # Without new keys a counter begins anew near 0, nowhere else.
        start = session.start if session.new_key or not frames else min(session.start, 5)
        for count in range(session.length):
            at_s += rng.randint(5, 300)
            payload = b"same" if alike else b"%d" % len(frames)
            key = f"key {number}" if session.new_key else "a"
            frames.append(Frame(key, (start + count) % 65_536, payload, at_s))
    heard = [number for number in range(len(frames)) if rng.random() < 0.9]
    copies = [number for number in heard if rng.random() < 0.25]
    deliveries = sorted((number + rng.choice([0, 0, 0.6, 1.2, 2.5]), number) for number in [*heard, *copies])
    return [(number, frames[number]) for _, number in deliveries]


@settings(max_examples=300, deadline=None)
@given(SESSIONS, st.integers(0, 2**32), st.integers(1, 30))
def test_every_frame_has_one_identity_of_its_own_whatever_the_air_does(
    sessions: list[Session], seed: int, restart_every: int
) -> None:
    assert_one_identity_each(air(sessions, Random(seed), alike=False), restart_every, lose_nothing=False)


@settings(max_examples=300, deadline=None)
@given(SESSIONS, st.integers(0, 2**32), st.integers(1, 30))
def test_a_device_that_must_lose_nothing_has_one_identity_a_frame_even_if_all_frames_say_the_same(
    sessions: list[Session], seed: int, restart_every: int
) -> None:
    assert_one_identity_each(air(sessions, Random(seed), alike=True), restart_every, lose_nothing=True)


def assert_one_identity_each(deliveries: list[tuple[int, Frame]], restart_every: int, lose_nothing: bool) -> None:
    tracker, identity_of = SessionTracker(), dict[int, tuple[int, int]]()
    kept: dict[str, bytes] = {}
    for count, (number, frame) in enumerate(deliveries, 1):
        identity = hear(tracker, frame, lose_nothing=lose_nothing)
        assert identity.repeat == (number in identity_of)
        assert identity_of.setdefault(number, identity[:2]) == identity[:2]
        if count % restart_every == 0:
            kept |= tracker.take_changes()
            tracker = SessionTracker()
            tracker.load(kept)
    assert len(set(identity_of.values())) == len(identity_of)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "b", "join a", "join b"]),
            st.integers(0, 70) | st.integers(65_530, 65_540),
            st.sampled_from([b"x", b"y"]),
            st.integers(-100, 10_000) | st.none(),
        ),
        max_size=60,
    )
)
def test_two_payloads_never_share_an_identity_and_boots_only_grow(
    steps: list[tuple[str, int, bytes, int | None]],
) -> None:
    tracker, payload_of = SessionTracker(), dict[tuple[int, int], bytes]()
    newest, received_ms = 0, T0_S * 1000
    for key, f_cnt, payload, step_s in steps:
        received_ms += 1000 * max(step_s or 1, 1)
        t_ms = None if step_s is None else received_ms + min(step_s, 0) * 1000
        if key.startswith("join"):
            newest = max(newest, tracker.join("L1", key.removeprefix("join "), t_ms, received_ms))
            continue
        resets = tracker.counts.counter_resets
        identity = tracker.identify("L1", key, f_cnt, payload, t_ms, received_ms)
        assert payload_of.setdefault(identity[:2], payload) == payload
        assert identity.boot > newest or tracker.counts.counter_resets == resets
        newest = max(newest, identity.boot)


def captured(path: Path, form: str) -> Iterator[Frame]:
    for message in replay_messages(path, form, ReplayOptions(), Tally()):
        if message.topic.endswith("/up"):
            event = json.loads(message.payload)
            at_s = (parse_time_ms(event["time"]) or 0) // 1000
            yield Frame(event.get("devAddr", ""), event["fCnt"], event["data"].encode(), at_s)


CAPTURES = {
    "chirpstack3": "d1d1e80000000032_campusiot.ndjson.gz",
    "helium": "ems-tourperret-A81758FFFE04B1C1.ndjson.gz",
}
EXPECTED = {"chirpstack3": (9418, 1, 0, 1), "helium": (12_614, 1983, 0, 2)}


def judge(frames: list[Frame]) -> tuple[int, int, int, int]:
    """Identities against an independent count: a frame that is like the one before but for its time is its copy."""
    tracker, owner, boots = SessionTracker(), dict[tuple[int, int], int](), set[int]()
    copies, number, before = 0, 0, None
    for frame in frames:
        copy = before is not None and before[:3] == frame[:3]
        copies += copy
        number += not copy
        identity = hear(tracker, frame)
        assert identity.repeat == copy, frame
        assert owner.setdefault(identity[:2], number) == number, frame
        boots.add(identity.boot)
        before = frame
    assert len(owner) == len(frames) - copies
    assert tracker.counts.repeats == copies
    return len(frames), copies, tracker.counts.counter_resets, len(boots)


@pytest.mark.parametrize("form", list(CAPTURES))
def test_in_a_real_capture_every_frame_has_its_own_identity_and_copies_share_it(form: str) -> None:
    path = SHARED / "data" / "lorawan" / CAPTURES[form]
    require("shared", path.exists(), f"{path} does not exist: set PARTHELAND_SHARED to the folder of the real data")
    assert judge(list(captured(path, form))) == EXPECTED[form]


@pytest.mark.parametrize(("form", "expected"), [("chirpstack3", (28, 1, 0, 1)), ("helium", (82, 26, 0, 2))])
def test_in_the_extracts_that_come_with_the_code_too(form: str, expected: tuple[int, int, int, int]) -> None:
    assert judge(list(captured(PAYLOADS / f"campusiot_{form}.ndjson", form))) == expected
