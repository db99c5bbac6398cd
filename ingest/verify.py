"""The proof that nothing was lost or doubled: gateways' numbers, the journal and the stores are compared.

    received  = journaled + quarantined             records that gateways sent, each once
    journaled = accepted + duplicates               readings of commissioned devices
    quarantined                                     of unknown devices, of a wrong kind, and what gateways refused
    stored    = accepted, once a store is up to date

A value that was kept out of a reading is a record of its own, so it counts under `received` and `quarantined` while the
rest of its reading counts under `journaled`. A store that is behind is a note; one that is behind and stands still is
a problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.clock import Clock
from core.frame import FrameError
from core.sqlite import Database, StorageDamaged, StorageError
from ingest.books import Verdict
from ingest.journal import Journal, JournalLimits
from ingest.process import Ingest
from ingest.quarantine import Quarantine
from ingest.store import Query, Store, StoreAway, StoreError
from ingest.walk import walk
from ingest.writer import WriterState

LAG_COUNTED_MAX = 50_000  # so many records are read again to know what a store that is behind must hold already
RANGES_SHOWN_MAX = 20
QUARANTINED = ("unknown_device", "wrong_kind", "refused", "value_refused")


@dataclass(frozen=True)
class GatewayLine:
    """One epoch of one gateway: the records held lie in first_seq … last_seq, `missing` are the gaps from 1 on."""

    id: str
    epoch: int
    first_seq: int
    last_seq: int
    missing: list[tuple[int, int]]
    duplicates: int


@dataclass(frozen=True)
class Tally:
    """The books at one instant. `counts` by verdict, and `records` of all; `held` as the ledger counts them."""

    head: int
    tail: int
    counts: Counter[str]
    gateways: list[GatewayLine]
    held: int

    @property
    def received(self) -> int:
        """Records that came from gateways, each once."""
        return self.counts["records"]

    @property
    def accepted(self) -> int:
        """Readings that stores must hold."""
        return self.counts["accepted"]

    @property
    def duplicates(self) -> int:
        """Readings that a device, a network or a broker brought again."""
        return self.counts["duplicate"]

    @property
    def journaled(self) -> int:
        """Readings of commissioned devices, repeats included."""
        return self.accepted + self.duplicates

    @property
    def quarantined(self) -> int:
        """Records that were kept for people to look at instead."""
        return sum(self.counts[name] for name in QUARANTINED)


@dataclass
class Report:
    """What `partheland verify --json` prints. A store that could not be asked has None under `stored`; `positions`
    say how far each consumer of the journal is.
    """

    ok: bool = False
    gateways: list[GatewayLine] = field(default_factory=list)
    received: int = 0
    journaled: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    stored: dict[str, int | None] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    rules_position: int = 0
    journal_head: int = 0
    tickets_duplicated: int = 0
    audit_ok: bool = True
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Consumer:
    """A store, how far it is for sure, and how its writer is doing (None: the platform is stopped)."""

    store: Store
    position: int
    state: WriterState | None
    keeps_all: bool


def verify(ingest: Ingest, deep: bool = False) -> Report:
    """Compare everything while the centre runs; `deep` also reads every block of the journal again."""
    keeps_all = ingest.settings.store.retention_days == 0
    consumers = [Consumer(writer.store, writer.position, writer.state(), keeps_all) for writer in ingest.writers]
    return _compare(ingest.journal, ingest.quarantine, consumers, deep)


def verify_files(
    data: Path, stores: Sequence[Store], clock: Clock, deep: bool = True, keeps_all: bool = True
) -> Report:
    """Compare everything on the files of a stopped platform; `keeps_all` False when stores delete old readings.

    Opens and closes journal, quarantine and the stores. Raises StorageError when there is no journal in `data` or it
    is in use; a damaged one is a problem in the report.
    """
    folder = data / "journal"
    if not any(folder.glob("segment-*.db")):
        raise StorageError(f"there is no journal in {folder}; expected the data folder of a platform that ran")
    journal = Journal(folder, clock, JournalLimits())
    quarantine = Quarantine(Database(data / "quarantine.db"))
    opened: list[Store] = []
    try:
        journal.open()
        quarantine.open()
        consumers, problems = [], []
        for store in stores:
            try:
                store.open()
                opened.append(store)
                consumers.append(Consumer(store, store.position(), None, keeps_all))
            except StoreError as error:
                problems.append(f"{store.name} could not be asked: {error}")
        report = _compare(journal, quarantine, consumers, deep)
        report.problems += problems
        report.ok = not report.problems
        return report
    except (StorageDamaged, FrameError) as error:
        return Report(problems=[f"the journal or the quarantine can't be opened: {error}"])
    finally:
        for store in opened:
            store.close()
        quarantine.close()
        journal.close()


def tally(journal: Journal) -> Tally:
    """The books as they are now, copied."""
    with journal.exclusive():
        lines = sorted(journal.books.ledger.lines.items())
        return Tally(
            head=journal.head,
            tail=journal.tail,
            counts=Counter(journal.books.counts),
            gateways=[
                GatewayLine(gateway, epoch, line.starts[0], line.ends[-1], line.missing(), line.repeats)
                for (gateway, epoch), line in lines
            ],
            held=sum(line.count() for _, line in lines),
        )


def _compare(journal: Journal, quarantine: Quarantine, consumers: Sequence[Consumer], deep: bool) -> Report:
    known = tally(journal)
    report = Report(
        gateways=known.gateways,
        received=known.received,
        journaled=known.journaled,
        accepted=known.accepted,
        duplicates=known.duplicates,
        quarantined=known.quarantined,
        journal_head=known.head,
    )
    report.problems += _ledger_problems(known)
    for consumer in consumers:
        _compare_store(report, consumer, journal, known)
    _compare_quarantine(report, quarantine, known)
    if deep:
        walked = walk(journal, known.head)
        report.notes.append(f"{walked.blocks} blocks of the journal were read again")
        report.problems += walked.problems
        if walked.books is not None and +walked.books.counts != +known.counts:
            report.problems.append("the journal's blocks, counted again, give other numbers than its books")
    report.ok = not report.problems
    return report


def _ledger_problems(known: Tally) -> list[str]:
    problems = []
    for line in known.gateways:
        if line.missing:
            ranges = ", ".join(f"{low} … {high}" for low, high in line.missing[:RANGES_SHOWN_MAX])
            more = ", and more" if len(line.missing) > RANGES_SHOWN_MAX else ""
            count = sum(high - low + 1 for low, high in line.missing)
            problems.append(
                f"{count} records of gateway {line.id}, epoch {line.epoch} did not come (yet): {ranges}{more}; "
                "they are in its spool as long as it says that frames wait"
            )
    if not known.held == known.received == known.head:
        problems.append(
            f"the ledger holds {known.held} records, the books counted {known.received}, the journal's head is "
            f"{known.head}: expected three times the same"
        )
    if known.received != known.journaled + known.quarantined:
        problems.append(
            f"{known.received} records were received, {known.journaled} journaled and {known.quarantined} quarantined: "
            "expected the sum"
        )
    return problems


def _compare_store(report: Report, consumer: Consumer, journal: Journal, known: Tally) -> None:
    """A store holds at least what was accepted before its position and at most what was accepted by now."""
    name, behind = consumer.store.name, known.head - consumer.position
    report.stored[name], report.positions[name] = None, consumer.position
    _note_state(report, consumer, behind)
    try:
        count = report.stored[name] = consumer.store.count(Query())
    except StoreError as error:
        # A writer that tries by itself (also one that is just opening) comes back; other troubles wait for a person.
        state = consumer.state
        waits = isinstance(error, StoreAway) or (state is not None and not state.needs_person)
        (report.notes if waits else report.problems).append(f"{name} could not be asked: {error}")
        return
    accepted_by_now = tally(journal).accepted
    if count > accepted_by_now:
        report.problems.append(
            f"{name} holds {count} readings, only {accepted_by_now} were accepted: {count - accepted_by_now} too many"
        )
    if behind > LAG_COUNTED_MAX:
        return
    expected = known.accepted - _accepted_between(journal, consumer.position, known.head)
    if count < expected:
        sentence = f"{name} holds {count} readings, expected {expected}: {expected - count} are not there"
        if consumer.keeps_all:
            report.problems.append(f"{sentence} (the quarantine shows what a store refused)")
        else:
            report.notes.append(f"{sentence}, which may be the old ones that it deletes")


def _note_state(report: Report, consumer: Consumer, behind: int) -> None:
    name, state = consumer.store.name, consumer.state
    if behind > 0:
        report.notes.append(f"{name} has {behind} records of the journal still before it")
    if state is None:
        return
    if not state.is_running:
        report.problems.append(f"the writer of {name} stands still: {state.trouble or 'it was not started'}")
    elif state.trouble is not None:
        (report.problems if state.needs_person else report.notes).append(f"{name} takes nothing: {state.trouble}")


def _accepted_between(journal: Journal, position: int, head: int) -> int:
    """How many readings were accepted at position … head - 1, as far as the journal still has them."""
    count, position = 0, max(position, journal.tail)
    while position < head:
        for block in journal.read(position):
            verdict = block.verdict[max(0, position - block.position) : head - block.position]
            count += int((verdict == Verdict.ACCEPTED).sum())
            position = block.next
    return count


def _compare_quarantine(report: Report, quarantine: Quarantine, known: Tally) -> None:
    report.positions["quarantine"] = quarantine.position()
    behind = known.head - report.positions["quarantine"]
    if behind > 0:
        report.notes.append(f"the quarantine has {behind} records of the journal still before it")
        return
    counted = sum(quarantine.counts().values())
    if counted < known.quarantined:
        report.problems.append(f"the quarantine counted {counted} records, expected at least {known.quarantined}")
