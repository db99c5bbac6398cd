"""Tests of the tests: each promise of the durable core, broken on purpose in a copy, makes the named test fail."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.project import ROOT

COPIED = ("core", "gateway", "ingest", "tests", "pyproject.toml")


class Mutation(NamedTuple):
    """A text that stands in the file once, what it becomes, and the test that must notice."""

    promise: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        "each commit is synced",
        "core/sqlite.py",
        'synchronous: str = "FULL"',
        'synchronous: str = "OFF"',
        "tests/sim/test_power_cut.py::test_the_spool_keeps_its_promises_over_every_cut[forgets]",
    ),
    Mutation(
        "each commit is synced, not only each checkpoint",
        "core/sqlite.py",
        'synchronous: str = "FULL"',
        'synchronous: str = "NORMAL"',
        "tests/sim/test_power_cut.py::test_the_journal_keeps_its_promises_over_every_cut_and_every_new_segment[forgets]",
    ),
    Mutation(
        "a torn write is undone",
        "core/sqlite.py",
        "PRAGMA journal_mode=WAL",
        "PRAGMA journal_mode=MEMORY",
        "tests/sim/test_power_cut.py::test_the_spool_keeps_its_promises_over_every_cut[tears]",
    ),
    Mutation(
        "a damaged frame is noticed",
        "core/frame.py",
        "if found != expected:",
        "if found is None:",
        "tests/core/test_frame.py::test_every_single_flipped_bit_is_noticed",
    ),
    Mutation(
        "SOS goes first",
        "core/frame.py",
        'LANES = ("sos", "telemetry")',
        'LANES = ("telemetry", "sos")',
        "tests/gateway/test_spool.py::test_sos_overtakes_everything_that_waits",
    ),
    Mutation(
        "commit, then acknowledge",
        "gateway/intake.py",
        "        whole = Part(",
        "        self.acknowledge(messages)\n        whole = Part(",
        "tests/gateway/test_intake.py::test_a_batch_is_one_frame_and_is_acknowledged_after_it_is_held",
    ),
    Mutation(
        "what can't be read is kept",
        "gateway/intake.py",
        "batch.refusals.append((index, _refusal(refused, message, received_ms)))",
        "self.counts[refused.code] += 1",
        "tests/gateway/test_intake.py::"
        "test_what_can_not_be_taken_is_kept_raw_counted_and_acknowledged_and_the_next_one_is_taken",
    ),
    Mutation(
        "no frame is longer than may be sent",
        "gateway/intake.py",
        "size <= self.frame_bytes_max or",
        "size > 0 or",
        "tests/gateway/test_intake.py::test_a_batch_too_large_for_one_frame_becomes_several_in_order",
    ),
    Mutation(
        "an epoch is never used twice",
        "gateway/spool.py",
        "max(previous + 1, self.clock.now_ms())",
        "self.clock.now_ms()",
        "tests/gateway/test_spool.py::test_epochs_grow_when_the_clock_is_set_back",
    ),
    Mutation(
        "a frame leaves the spool when the centre holds it, not when it was sent",
        "gateway/uplink.py",
        '            crashpoint("uplink.after_send")',
        "            self.spool.release(group)",
        "tests/gateway/test_uplink.py::test_frames_stay_in_the_spool_until_the_centre_holds_them",
    ),
    Mutation(
        "a lost frame is sent again, whatever else is acknowledged",
        "gateway/uplink.py",
        "now_s - at_s >= PASSED_OVER * self.resend_s",
        "now_s < at_s",
        "tests/gateway/test_uplink.py::"
        "test_a_frame_that_was_lost_is_sent_again_although_others_are_acknowledged_all_the_time",
    ),
    Mutation(
        "commit, then tell the gateway",
        "ingest/accept.py",
        "            return not entries or self._append(entries)",
        "            for (gateway, epoch), ranges in held.items():\n"
        '                self.publish(ack_topic(gateway), msgspec.json.encode({"epoch": epoch, "ranges": ranges}))\n'
        "            return not entries or self._append(entries)",
        "tests/ingest/test_accept.py::test_gateway_and_broker_hear_of_it_after_it_is_in_the_journal",
    ),
    Mutation(
        "commit, then tell the gateway, and nobody while there is no room",
        "ingest/accept.py",
        "                if not self.wait_for_room(ROOM_WAIT_S):\n                    return False\n",
        "                if not self.wait_for_room(ROOM_WAIT_S):\n                    return True\n",
        "tests/ingest/test_accept.py::test_told_to_stop_while_it_waits_it_tells_nobody",
    ),
    Mutation(
        "a frame that is held is not taken again",
        "ingest/accept.py",
        "if key in new or ledger.holds(frame.gateway, frame.epoch, frame.first_seq, frame.last_seq):",
        "if key in new:",
        "tests/ingest/test_accept.py::test_a_frame_that_comes_again_is_acknowledged_again_and_kept_once",
    ),
    Mutation(
        "an old reading is judged with what stands beside it",
        "ingest/accept.py",
        "self.journal.was_there(device_id, asked) | asked.among(_accepted_of(before, device_id))",
        "self.journal.was_there(device_id, asked)",
        "tests/ingest/test_accept.py::test_an_old_reading_that_stands_in_two_frames_of_one_batch_is_accepted_once",
    ),
    Mutation(
        "the ledger knows what was appended",
        "ingest/books.py",
        "self.ledger.add(frame.gateway, frame.epoch, frame.first_seq, frame.last_seq, at_ms)",
        "self.counts.update()",
        "tests/ingest/test_accept.py::test_a_frame_that_comes_again_is_acknowledged_again_and_kept_once",
    ),
    Mutation(
        "after a restart the ledger knows what was appended before it",
        "ingest/journal.py",
        "                self.books.enter(block.frame, block.verdict, block.committed_ms)\n",
        "",
        "tests/ingest/test_journal.py::test_what_was_appended_is_there_after_a_restart_with_the_same_books",
    ),
    Mutation(
        "after a restart repeats are known",
        "ingest/journal.py",
        "                self.books.refold(block.frame, block.verdict[: len(block.frame.readings)])\n",
        "",
        "tests/ingest/test_journal.py::test_what_was_appended_is_there_after_a_restart_with_the_same_books",
    ),
    Mutation(
        "a segment opens with the books",
        "ingest/journal.py",
        "segment.begin(self.books.to_bytes())",
        "segment.begin(Books().to_bytes())",
        "tests/ingest/test_journal.py::test_repeats_are_known_over_restarts_and_segments",
    ),
    Mutation(
        "a damaged block is noticed",
        "ingest/segment.py",
        "if _checksum(verdict, quality, data) != checksum:",
        "if position < 0:",
        "tests/ingest/test_journal.py::test_a_damaged_block_is_named_and_not_read",
    ),
    Mutation(
        "a word of the window that is used again is empty",
        "ingest/windows.py",
        "            bits[there] = 0\n",
        "",
        "tests/ingest/test_windows.py::test_what_is_older_than_the_window_is_asked_for",
    ),
    Mutation(
        "rows and position in one transaction",
        "ingest/quarantine.py",
        "        counts = Counter(row[1] for row in rows)\n",
        "        counts = Counter(row[1] for row in rows)\n"
        "        with self.database.transaction() as early:\n"
        "            early.execute(\"INSERT OR REPLACE INTO meta VALUES ('position', ?)\", (position or 0,))\n",
        "tests/ingest/test_quarantine.py::test_a_failure_between_rows_and_position_leaves_neither",
    ),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The durable core and its tests, to be broken."""
    folder = tmp_path_factory.mktemp("mutated")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "data", "e2e"))
        else:
            shutil.copy(source, folder / name)
    return folder


def run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """The named tests, run in the copy by a Python of their own; what was compiled of another mutation is not used."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "PARTHELAND_SOAK": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def mutated(copy: Path, mutation: Mutation) -> Iterator[None]:
    """The copy with one text exchanged, and as it was afterwards."""
    path = copy / mutation.file
    text = path.read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, f"{mutation.file} has changed: write this mutation anew"
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    yield
    path.write_text(text, encoding="utf-8")


def test_unbroken_all_these_tests_pass(copy: Path) -> None:
    ended = run(copy, *sorted({mutation.test for mutation in MUTATIONS}))
    assert ended.returncode == 0, ended.stdout[-3000:]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.promise for mutation in MUTATIONS])
def test_a_broken_promise_is_noticed(copy: Path, mutation: Mutation) -> None:
    with mutated(copy, mutation):
        ended = run(copy, mutation.test)
    assert ended.returncode == 1, ended.stdout[-3000:] + ended.stderr[-1000:]
    assert "1 failed" in ended.stdout
