"""One suite for both stores: whatever the platform relies on, InfluxDB and DuckDB do alike."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.frame import Refusal
from core.reading import EMPTY, Quality, Readings, Scalar, concat, from_rows
from ingest.duck import DuckStore
from ingest.influx import InfluxStore
from ingest.store import Query, Store, StoredReading
from tests.support.influxd import InfluxServer

T0 = 1_768_068_000_000
Make = Callable[[], Store]
Values = dict[str, Scalar]


class DiedError(Exception):
    """The process ended here."""


@pytest.fixture(params=["duckdb", "influxdb"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes the same store again and again, as a restarted process does."""
    if request.param == "duckdb":
        return lambda: DuckStore(tmp_path / "readings.duckdb")
    server: InfluxServer = request.getfixturevalue("influxd")
    bucket, clock = tmp_path.name, ManualClock(T0)
    return lambda: InfluxStore(server.url, server.token, server.org, tmp_path / "position", clock, bucket)


@pytest.fixture
def store(make: Make) -> Iterator[Store]:
    made = make()
    made.open()
    yield made
    made.close()


def one(device_id: str, kind: str, seq: int = 1, t_ms: int = T0, values: Values | None = None) -> Readings:
    return from_rows([device_id], [kind], [t_ms], [t_ms + 250], [3], [seq], [values or {}])


def lamps(count: int, devices: int, spread_ms: int) -> Readings:
    """Readings of lamps whose times fall on seven instants, `spread_ms` apart: hundreds at each."""
    return from_rows(
        [f"NAU-L{number % devices:05d}" for number in range(count)],
        ["lamp"] * count,
        [T0 + (number % 7) * spread_ms for number in range(count)],
        [T0 + 900] * count,
        [3 + number % 2 for number in range(count)],
        [number // devices for number in range(count)],
        [{"power_w": 35.2, "dim_pct": float(number % 100)} for number in range(count)],
    )


def key(item: StoredReading) -> tuple[int, str, int, int]:
    return item.t_ms, item.device_id, item.boot, item.seq


def walk(store: Store, query: Query) -> list[StoredReading]:
    found: list[StoredReading] = []
    page = store.page(query)
    while True:
        found += page.items
        if page.next is None:
            return found
        assert len(page.items) == query.limit
        page = store.page(replace(query, after=page.next))


EVERY_KIND: list[tuple[str, Values]] = [
    ("lamp", {"power_w": 35.2, "relay_closed": True, "lamp_failure": False, "gateway": "GW-1", "energy_wh": 1e9}),
    ("cabinet", {"power_l1_w": -1.5, "voltage_l3_v": 230.123456789, "door_open": True, "energy_wh": 2.0**39}),
    ("parking", {"occupied": False, "temp_c": -12.5, "battery_pct": 0.0}),
    ("counter", {"entries": float(2**53), "exits": 0.0, "occupied_count": 12.0}),
    ("gateway", {"uptime_s": 1e-7, "gateways": 2.0}),
    ("other", {"soil_moisture": 0.1 + 0.2, "battery_v": 3.6}),
    ("sos", {"event": "long_press", "press_id": 17.0}),
]


@pytest.mark.parametrize(("kind", "values"), EVERY_KIND)
def test_what_a_device_said_is_read_back_with_its_types(store: Store, kind: str, values: Values) -> None:
    readings = one("GRO-X1", kind, 812, values=values)
    assert store.write(readings, 1) == []
    item = StoredReading("GRO-X1", kind, T0, T0 + 250, 3, 812, "good", values)
    found = store.page(Query(device_id="GRO-X1")).items
    assert found == [item]
    assert {name: type(value) for name, value in found[0].values.items()} == {n: type(v) for n, v in values.items()}


def test_every_quality_is_kept(store: Store) -> None:
    readings = concat(one("BOR-L1", "lamp", seq) for seq in range(3))
    store.write(readings.with_quality(readings.seq.astype("u1")), 1)
    assert [item.quality for item in store.scan(Query())] == [quality.word for quality in Quality]


def test_a_reading_without_values_is_a_reading(store: Store) -> None:
    store.write(one("BOR-L1", "lamp"), 1)
    assert store.page(Query()).items == [StoredReading("BOR-L1", "lamp", T0, T0 + 250, 3, 1, "good", {})]
    assert store.count(Query(kind="lamp")) == 1


@pytest.mark.parametrize(
    "text", ['say "hi"', "back\\slash", "two\nlines", "a=b,c d", "Zählschranke ☂", " ", "x" * 2000]
)
def test_texts_come_back_as_they_were(store: Store, text: str) -> None:
    store.write(one("BOR-L1", "lamp", values={"gateway": text}), 1)
    assert store.page(Query()).items[0].values == {"gateway": text}


def test_free_names_may_be_odd(store: Store) -> None:
    names = ["a b", "a,b", "a=b", 'quo"te', "Größe", "values", "kind", "t", "#1", "2", "select", "r._value", "'", "a.b"]
    values: Values = {name: float(number) for number, name in enumerate(names)}
    assert store.write(one("BOR-X1", "other", values=values), 1) == []
    assert store.page(Query()).items[0].values == values


def test_the_same_write_again_changes_nothing(store: Store) -> None:
    readings = lamps(300, devices=20, spread_ms=10)
    store.write(readings, 300)
    store.write(readings, 300)
    assert store.count(Query()) == 300
    assert store.position() == 300


def test_a_position_moves_without_readings_too(store: Store) -> None:
    assert store.position() == 0
    store.write(EMPTY, 40)
    assert store.position() == 40
    assert store.page(Query()).items == []


def test_a_new_process_goes_on_where_the_old_one_was(make: Make) -> None:
    first = make()
    first.open()
    first.write(lamps(50, devices=5, spread_ms=10), 50)
    first.close()
    second = make()
    second.open()
    assert (second.position(), second.count(Query())) == (50, 50)
    second.write(one("NAU-L99999", "lamp", 51), 51)
    assert (second.position(), second.count(Query())) == (51, 51)
    second.close()


def test_a_crash_between_write_and_position_costs_a_repeat_and_never_a_double(make: Make) -> None:
    readings = concat([lamps(200, devices=20, spread_ms=10), one("BOR-L1", "lamp", values={"colour": 7.0})])

    def die(_refused: list[Refusal]) -> None:
        raise DiedError

    first = make()
    first.open()
    with pytest.raises(DiedError):
        first.write(readings, 201, die)
    first.close()
    second = make()
    second.open()
    assert second.position() == 0
    second.write(readings, 201)
    assert second.count(Query()) == 201
    second.close()


def test_a_value_nobody_knows_is_refused_and_the_rest_of_the_reading_stored(store: Store) -> None:
    readings = concat(
        [
            one("BOR-L1", "lamp", values={"power_w": 35.0, "colour": 7.0, "event": "press"}),
            one("BOR-S1", "sos", values={"event": 1.0}),
            one("BOR-X1", "other", values={"note": "text", "level": 2.0}),
        ]
    )
    told: list[Refusal] = []
    refused = store.write(readings, 3, told.extend)
    assert told == refused
    assert {(refusal.device_id, refusal.kind, refusal.scope) for refusal in refused} == {
        ("BOR-L1", "lamp", "value"),
        ("BOR-S1", "sos", "value"),
        ("BOR-X1", "other", "value"),
    }
    assert sum("colour" in refusal.reason or "event" in refusal.reason for refusal in refused) == 3
    assert {item.device_id: item.values for item in store.scan(Query())} == {
        "BOR-L1": {"power_w": 35.0},
        "BOR-S1": {},
        "BOR-X1": {"level": 2.0},
    }


@pytest.mark.parametrize("spread_ms", [0, 1, 100_000])
def test_pages_walk_five_thousand_readings_without_gap_or_repeat(store: Store, spread_ms: int) -> None:
    readings = lamps(5000, devices=120, spread_ms=spread_ms)
    store.write(readings, 5000)
    found = walk(store, Query(kind="lamp", limit=700))
    columns = zip(
        readings.t_ms.tolist(), readings.device_ids, readings.boot.tolist(), readings.seq.tolist(), strict=True
    )
    assert [key(item) for item in found] == sorted(columns)


def test_pages_of_one_device_in_a_range(store: Store) -> None:
    store.write(lamps(3000, devices=3, spread_ms=1000), 3000)
    query = Query("NAU-L00001", from_ms=T0 + 1000, to_ms=T0 + 4000, limit=50)
    found = walk(store, query)
    assert [key(item) for item in found] == sorted(key(item) for item in found)
    assert len(found) == store.count(query) == sum(number % 3 == 1 and 1 <= number % 7 < 4 for number in range(3000))


def test_pages_go_over_all_kinds_and_long_pauses(store: Store) -> None:
    year_ms = 365 * 86_400_000
    parts = [one(f"D{n}", kind, n, T0 - n * year_ms) for n, (kind, _) in enumerate(EVERY_KIND)]
    store.write(concat(parts), 7)
    assert [item.device_id for item in walk(store, Query(limit=2))] == [f"D{n}" for n in reversed(range(7))]
    assert [item.device_id for item in walk(store, Query(kind="other", limit=2))] == ["D5"]


def test_a_page_that_ends_with_the_last_reading_is_the_last(store: Store) -> None:
    store.write(lamps(10, devices=10, spread_ms=1), 10)
    assert store.page(Query(limit=10)).next is None
    assert store.page(Query(limit=9)).next is not None


def test_counts_by_kind_device_and_range(store: Store) -> None:
    bays = [one("BRA-P1", "parking", n, T0 + n, {"occupied": n % 2 == 0}) for n in range(30)]
    store.write(concat([lamps(70, devices=7, spread_ms=1000), *bays]), 100)
    assert store.count(Query()) == 100
    assert store.count(Query(kind="parking")) == 30
    assert store.count(Query(device_id="NAU-L00003")) == 10
    assert store.count(Query(device_id="NAU-L00003", kind="parking")) == 0
    assert store.count(Query(kind="parking", from_ms=T0 + 10, to_ms=T0 + 20, limit=1, after=f"{T0}.x.1.1")) == 10
    assert store.count(Query(kind="parking", from_ms=T0 + 20, to_ms=T0 + 10)) == 0
    assert store.count(Query(device_id="nobody")) == 0
    assert store.count(Query(kind="no kind")) == 0


def test_names_in_a_question_are_only_names(store: Store) -> None:
    store.write(one("BOR-L1", "lamp"), 1)
    for strange in ("x' OR true --", 'x" or true) //', "x\\", "${1}", "ä\n"):
        assert store.page(Query(device_id=strange)).items == []
        assert store.count(Query(device_id=strange)) == 0


@pytest.mark.parametrize("after", ["", "x", "1.2", "a.b.c.d", "1.D1.2.3.4"])
def test_a_key_that_no_page_gave_is_refused(store: Store, after: str) -> None:
    with pytest.raises(ValueError, match=r"key of a page|invalid literal"):
        store.page(Query(after=after))


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_limit_out_of_bounds_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        store.page(Query(limit=limit))


def test_twenty_thousand_shuffled_readings_are_each_there_once(store: Store) -> None:
    every = lamps(20_000, devices=200, spread_ms=60_000)
    order = list(range(20_000))
    random.Random(7).shuffle(order)
    rows = every.value_dicts()
    position = 0
    for start in range(0, 20_000, 3000):
        part = order[start : start + 3000]
        position += len(part)
        store.write(
            from_rows(
                [every.device_ids[row] for row in part],
                ["lamp"] * len(part),
                every.t_ms[part].tolist(),
                every.received_ms[part].tolist(),
                every.boot[part].tolist(),
                every.seq[part].tolist(),
                [rows[row] for row in part],
            ),
            position,
        )
    assert store.count(Query(kind="lamp")) == 20_000
    found = {(item.device_id, item.seq): item for item in store.scan(Query())}
    assert len(found) == 20_000
    for row, (device_id, seq) in enumerate(zip(every.device_ids, every.seq.tolist(), strict=True)):
        assert (found[device_id, seq].values, found[device_id, seq].t_ms) == (rows[row], every.t_ms[row])
