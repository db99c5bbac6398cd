"""The path as one machine: whatever crashes, is lost, comes twice or late, each reading arrives exactly once."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ingest.books import Verdict
from tests.sim.world import KINDS, STRANGER, WINDOW_FRAMES, World
from tests.support.soak import rounds

pytestmark = pytest.mark.slow

DEVICES = st.sampled_from([*KINDS, STRANGER])
COUNTS = st.integers(1, 8)
CHANCE = st.integers(0, 2**32).map(Random)


class PathOfTheData(RuleBasedStateMachine):
    """Any order of events between devices and store."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)

    @rule(device=DEVICES, count=COUNTS)
    def devices_speak(self, device: str, count: int) -> None:
        for _ in range(count):
            self.world.publish(device)

    @rule(device=DEVICES, number=st.integers(0, 10**6))
    def a_device_talks_nonsense(self, device: str, number: int) -> None:
        self.world.publish(device, b"nonsense %d" % number)

    @rule(picks=st.lists(st.integers(0, 1000), max_size=4))
    def devices_repeat_themselves(self, picks: list[int]) -> None:
        for pick in picks:
            self.world.publish_again(pick)

    @rule(device=DEVICES)
    def a_device_reboots(self, device: str) -> None:
        self.world.reboot(device)

    @rule(count=COUNTS, chance=CHANCE)
    def the_gateway_takes(self, count: int, chance: Random) -> None:
        self.world.deliver_to_gateway(count, chance)

    @rule()
    def the_gateway_sends(self) -> None:
        self.world.uplink.turn()

    @rule(count=COUNTS, chance=CHANCE, twice=st.booleans())
    def the_centre_takes(self, count: int, chance: Random, twice: bool) -> None:
        self.world.deliver_to_centre(count, chance, twice=twice)

    @rule(count=COUNTS, chance=CHANCE)
    def the_network_loses_frames(self, count: int, chance: Random) -> None:
        self.world.deliver_to_centre(count, chance, lose=True)

    @rule(count=COUNTS, lose=st.booleans())
    def acknowledgements_arrive_or_get_lost(self, count: int, lose: bool) -> None:
        self.world.deliver_to_uplink(count, lose)

    @rule()
    def the_gateway_is_killed(self) -> None:
        self.world.crash_gateway()

    @rule()
    def the_centre_is_killed(self) -> None:
        self.world.crash_centre()

    @rule(point=st.sampled_from(["gateway.puback", "centre.acknowledgement", "centre.puback"]))
    def the_next_hand_over_dies_before_its_acknowledgement(self, point: str) -> None:
        self.world.crash_at = point

    @rule()
    def the_connection_comes_or_goes(self) -> None:
        self.world.connected = not self.world.connected
        if self.world.connected:
            self.world.uplink.start_over()

    @rule(seconds=st.floats(0.1, 100))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def consumers_read_on(self) -> None:
        self.world.store()
        self.world.fill_quarantine()

    @rule()
    def the_gateway_tidies_up(self) -> None:
        self.world.spool.tidy()

    @invariant()
    def what_was_acknowledged_is_held_somewhere_and_accepted_at_most_once(self) -> None:
        world = self.world
        world.look_at_journal()
        assert world.acknowledged_things() <= world.spooled() | world.journaled
        assert not world.accepted or max(world.accepted.values()) == 1
        assert max(Counter(world.stored).values(), default=1) == 1

    @invariant()
    def sos_goes_first_and_the_window_is_bounded(self) -> None:
        lanes = [entry.lane for entry in self.world.spool.waiting(1000)]
        assert lanes == sorted(lanes)
        waiting_sos = lanes.count("sos")
        assert len(self.world.uplink.window.under_way) <= WINDOW_FRAMES + waiting_sos + 2 * WINDOW_FRAMES

    @invariant()
    def the_ledger_counts_what_the_journal_holds(self) -> None:
        books = self.world.journal.books
        assert sum(line.count() for line in books.ledger.lines.values()) == self.world.journal.head
        assert books.counts["records"] == self.world.journal.head

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        try:
            world.drain()
            self.what_was_acknowledged_is_held_somewhere_and_accepted_at_most_once()
            check_end(world)
        finally:
            world.close()
            shutil.rmtree(self.folder)


def check_end(world: World) -> None:
    """Everything that was said is where it belongs, once."""
    assert (world.at_broker, world.spool.depth()[0]) == ({}, 0)
    assert sorted(world.stored) == sorted(world.distinct_readings())
    lines = world.journal.books.ledger.lines.values()
    assert sum(line.count() for line in lines) == world.journal.head
    assert [gap for line in lines for gap in line.missing()] == []
    expected = Counter[int]()
    position = 0
    while position < world.journal.head:
        for block in world.journal.read(position):
            refused = block.verdict != Verdict.ACCEPTED
            refused &= block.verdict != Verdict.DUPLICATE
            expected.update(block.position + int(row) for row in refused.nonzero()[0])
            position = block.next
    assert Counter(row.position for row in world.quarantine.page(10_000)) == expected
    assert sum(world.quarantine.counts().values()) == len(expected)
    nonsense = {message.payload for message, identity in world.said if identity is None}
    assert nonsense <= {row.raw for row in world.quarantine.page(10_000)}


PathOfTheData.TestCase.settings = settings(max_examples=rounds(150), stateful_step_count=40, deadline=None)
TestPathOfTheData = PathOfTheData.TestCase


def test_a_long_run_with_all_troubles_at_once_ends_with_everything_in_its_place(tmp_path: Path) -> None:
    world, chance = World(tmp_path, segment_bytes=20_000), Random(7)
    points = ["", "", "", "gateway.puback", "centre.acknowledgement", "centre.puback"]
    for step in range(400):
        for _ in range(chance.randrange(4)):
            world.publish(chance.choice([*KINDS, STRANGER]))
        world.publish_again(chance.randrange(10_000))
        world.crash_at = chance.choice(points)
        world.deliver_to_gateway(chance.randrange(8), chance)
        world.uplink.turn()
        world.deliver_to_centre(chance.randrange(5), chance, lose=step % 7 == 0, twice=step % 5 == 0)
        world.deliver_to_uplink(chance.randrange(5), lose=step % 6 == 0)
        world.clock.advance(chance.random() * 10)
        if step % 50 == 49:
            world.crash_gateway()
            world.crash_centre()
            world.reboot(chance.choice(list(KINDS)))
    world.drain()
    world.look_at_journal()
    check_end(world)
    assert len(world.journal.segments) > 3
    world.close()
