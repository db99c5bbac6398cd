"""The ledger against a set of numbers: what is held, what is missing, however it came."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.ledger import Ledger, Line

RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(RANGES, st.integers(1, 70), st.integers(0, 8))
def test_a_line_is_the_set_of_the_numbers_it_was_given(ranges: list[tuple[int, int]], first: int, more: int) -> None:
    line, known = Line(), set[int]()
    for low, high in ranges:
        line.add(low, high)
        known |= set(range(low, high + 1))
    assert line.count() == len(known)
    assert {number for low, high in line.missing() for number in range(low, high + 1)} == (
        set(range(1, max(known, default=0) + 1)) - known
    )
    assert line.holds(first, first + more) == (set(range(first, first + more + 1)) <= known)
    assert all(end + 1 < start for end, start in zip(line.ends, line.starts[1:], strict=False))


def test_what_came_in_order_is_one_interval() -> None:
    line = Line()
    for first in range(1, 1001, 10):
        line.add(first, first + 9)
    assert (line.starts, line.ends, line.missing()) == ([1], [1000], [])


def test_lines_of_gateways_and_epochs_are_kept_apart_and_survive_a_restart() -> None:
    ledger = Ledger()
    ledger.add("gw1", 1, 1, 5, 100)
    ledger.add("gw1", 2, 3, 4, 300)
    ledger.add("gw2", 1, 1, 2, 200)
    ledger.add("gw2", 1, 3, 3, 150)
    ledger.repeat("gw1", 1, 5)
    again = Ledger.from_bytes(ledger.to_bytes())
    assert again.lines == ledger.lines
    assert again.holds("gw1", 1, 1, 5)
    assert not again.holds("gw1", 2, 1, 5)
    assert not again.holds("gw3", 1, 1, 1)
    assert (again.lines["gw1", 2].missing(), again.lines["gw2", 1].last_ms) == ([(1, 2)], 200)
