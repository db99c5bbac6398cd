"""An iteration in a process of its own, so that on two cores both who makes things and who uses them get on.

Threads do not help where both are many short calls: they wait for the interpreter more than they work.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")
ITEM, END, FAILED = "item", "end", "failed"


def can_be_beside() -> bool:
    """Whether a second process is safe and of use here: Linux, two cores, and no thread that could hold a lock."""
    return sys.platform == "linux" and (os.cpu_count() or 1) > 1 and threading.active_count() == 1


def beside(each: Callable[[], Iterator[T]]) -> Iterator[T]:
    """What `each` iterates over, made in a child that has a copy of all that is here; items must be picklable.

    An exception of the child is raised here. A child that dies without one raises ChildProcessError.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_send_all, args=(each, there), daemon=True)
    child.start()
    there.close()
    try:
        while True:
            what, found = _received(here)
            if what == FAILED:
                raise found
            if what == END:
                return
            yield found
    finally:
        here.close()
        child.terminate()
        child.join()


def _received(connection: Connection) -> tuple[str, Any]:
    try:
        found: tuple[str, Any] = connection.recv()
    except EOFError:
        raise ChildProcessError("the process beside this one is gone: was there too little memory?") from None
    return found


def _send_all(each: Callable[[], Iterator[T]], connection: Connection) -> None:
    try:
        for one in each():
            connection.send((ITEM, one))
        connection.send((END, None))
    except BrokenPipeError:
        return  # nobody wants more
    except Exception as error:  # whatever it is, it is raised where it can be told
        connection.send((FAILED, error))
        raise SystemExit(1) from error
