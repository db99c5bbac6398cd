"""An iteration in a process of its own: the same items, the same errors, and nothing left behind."""

import os
from collections.abc import Iterator

import pytest

from core.beside import beside


def numbers() -> Iterator[tuple[int, int]]:
    for number in range(1000):
        yield number, os.getpid()


def test_items_come_in_their_order_from_another_process() -> None:
    found = list(beside(numbers))
    assert [number for number, _ in found] == list(range(1000))
    assert {pid for _, pid in found}.isdisjoint({os.getpid()})


def test_what_fails_there_is_raised_here_after_what_came_before() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("no more bread")

    items = beside(failing)
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more bread"):
        next(items)


def test_a_process_that_dies_is_told() -> None:
    def dying() -> Iterator[int]:
        yield 1
        os._exit(9)

    items = beside(dying)
    assert next(items) == 1
    with pytest.raises(ChildProcessError, match="gone"):
        next(items)


def test_who_wants_no_more_leaves_no_process_behind() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield os.getpid()

    items = beside(endless)
    pid = next(items)
    items.close()  # type: ignore[attr-defined]  # it is a generator
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
