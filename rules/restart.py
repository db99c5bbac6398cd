"""How the rules take up where they were: the newest state that can be read, the journal from there on, and what the
database knows beyond that.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from core.inventory import Snapshot
from core.sqlite import sync_folder
from ingest.journal import Journal
from ingest.segment import Block
from rules import desk_cases, looking_after
from rules.blame import RULE_GONE
from rules.edges import Closing
from rules.engine import Engine, read_snapshot
from rules.findings import NOT_KNOWN
from rules.spec import Rule
from rules.windows import Window, WindowError, read_windows

log = logging.getLogger(__name__)

PAUSE_MS = 600_000
"""When the journal is read again: where nothing came for longer, nobody may have been there to take it."""
WINDOWS_NAME = "windows.csv"
"""Announced work stands in this file of the data folder (scope,from,to,reason); it is read at each start."""
OWN_LANE = "event"
"""Rules of this kind are about words of buttons, which rules/sos_watch.py hears: a press is never told twice."""


def load_engine(
    path: Path, snapshot: Snapshot, rules: Mapping[str, Rule], journal: Journal, now_ms: int
) -> tuple[Engine, int]:
    """The state of the snapshot at `path` and its position; without one, that of the journal's beginning."""
    judged = {name: rule for name, rule in rules.items() if rule.kind != OWN_LANE}
    oldest = journal.read(journal.tail, 1)
    begin_ms = oldest[0].committed_ms if oldest else now_ms
    windows = announced(path.with_name(WINDOWS_NAME))
    data = read_snapshot(path)
    if data is not None:
        try:
            engine = Engine(snapshot, judged, begin_ms, windows)
            return engine, engine.restore(data, snapshot)
        except (ValueError, KeyError) as error:
            log.error("%s can't be read (%s); the rules read the journal from its beginning", path, error)
    return Engine(snapshot, judged, begin_ms, windows), 0


def announced(path: Path) -> list[Window]:
    """The windows of a file; none where there is no such file, or none that can be read: then that is told."""
    if not path.exists():
        return []
    try:
        return read_windows(path)
    except WindowError as error:
        log.error("announced work is not minded: %s", error)
        return []


def write_snapshot(path: Path, data: bytes) -> None:
    """Put a new snapshot in the place of the one before, which stays until this one is whole. Raises OSError."""
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def without_pauses(blocks: Sequence[Block], came_ms: int) -> Iterator[list[Block]]:
    """The blocks in pieces, each without a pause in it; `came_ms` is when the one before them came."""
    piece: list[Block] = []
    for block in blocks:
        if piece and is_pause(came_ms, block):
            yield piece
            piece = []
        piece.append(block)
        came_ms = max(came_ms, block.committed_ms)
    if piece:
        yield piece


def is_pause(came_ms: int, block: Block) -> bool:
    """Whether nobody may have been there between an instant and this block."""
    return block.committed_ms - came_ms > PAUSE_MS


def not_known(
    held: Sequence[tuple[str, str, str, int]],
    known: set[tuple[str, str, str]],
    rules: Mapping[str, Rule],
    now_ms: int,
) -> Iterator[Closing]:
    """The ends of what the database `held` as open and the state does not know of. Presses are not its business."""
    for name, subject, episode, _ in held:
        rule = rules.get(name)
        told_elsewhere = name in (desk_cases.RULE, looking_after.RULE) or (rule is not None and rule.kind == OWN_LANE)
        if (name, subject, episode) not in known and not told_elsewhere:
            yield Closing(name, subject, episode, now_ms, NOT_KNOWN if rule is not None else RULE_GONE)
