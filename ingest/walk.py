"""Every block of the journal, read again from the disk: checksums hold, positions follow on, and the sum is the books.

Works beside a running centre, in small steps between which others get at the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.frame import FrameError
from core.sqlite import StorageError
from ingest.books import Books
from ingest.journal import Journal
from ingest.segment import Segment

BLOCKS_AT_ONCE = 20
PROBLEMS_MAX = 20


@dataclass
class Walked:
    """What was found. `books` is None when the sum can't be told: a block is damaged, or went away meanwhile."""

    blocks: int = 0
    problems: list[str] = field(default_factory=list)
    books: Books | None = None

    def spoilt(self, problem: str) -> None:
        """Note what is wrong; the sum means nothing then."""
        self.books = None
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


def walk(journal: Journal, head: int) -> Walked:
    """Read all blocks before the position `head`."""
    walked = Walked()
    with journal.exclusive():
        segments = list(journal.segments)
        opening = segments[0].opening_books()
    walked.books = Books.from_bytes(opening) if opening is not None else None
    for segment in segments:
        _walk_segment(journal, segment, head, walked)
    return walked


def _walk_segment(journal: Journal, segment: Segment, head: int, walked: Walked) -> None:
    position = segment.first
    while position < min(segment.next, head):
        with journal.exclusive():
            if segment not in journal.segments:  # it was old enough to go
                walked.books = None
                return
            try:
                extents = [one for one in segment.extents(position, BLOCKS_AT_ONCE) if one[0] < head]
            except StorageError as error:
                walked.spoilt(str(error))
                return
            for first, records in extents:
                if first != position:
                    walked.spoilt(f"{segment.path}: positions {position} … {first - 1} are not there")
                _check_block(segment, first, walked)
                position = first + records
        if not extents:
            walked.spoilt(f"{segment.path}: positions {position} … {min(segment.next, head) - 1} are not there")
            return


def _check_block(segment: Segment, position: int, walked: Walked) -> None:
    walked.blocks += 1
    try:
        (block,) = segment.blocks([position])
    except FrameError as error:
        walked.spoilt(f"{segment.path}: the block at position {position} is damaged ({error}); restore the file")
    except StorageError as error:
        walked.spoilt(str(error))
    else:
        if walked.books is not None:
            walked.books.enter(block.frame, block.verdict, block.committed_ms)
