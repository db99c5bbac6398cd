"""The inventory in its database: versions, who changed what, and what it refuses."""

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from core.device import Device, Site
from core.inventory import ImportResult, Inventory, InventoryError, RadioTakenError
from core.inventory_csv import export_devices, parse_inventory
from core.inventory_tables import KEYS_PER_QUERY
from core.relational import DatabaseError, Relational

LAMP = Device(device_id="BOR-0042", kind="lamp", town="borsdorf", nominal_w=35.5, lat=51.3478, lon=12.5386)
BAY = Device(device_id="BRA-P1-07", kind="parking", town="brandis", capacity=1, dev_eui="70B3D57ED005E2A1")
MARKET = Site(site="markt", town="brandis", capacity=20, opening_hours="24/7")


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    with Inventory(Relational(tmp_path / "inventory.sqlite")) as opened:
        yield opened


def test_a_new_inventory_is_empty_and_has_version_0(inventory: Inventory) -> None:
    assert (inventory.version(), inventory.current(), inventory.sites()) == (0, {}, {})
    assert inventory.snapshot().version == 0
    assert inventory.device("BOR-0042") is None


def test_what_is_applied_is_there_after_a_restart_to_the_last_field(tmp_path: Path) -> None:
    with Inventory(Relational(tmp_path / "inventory.sqlite")) as inventory:
        inventory.apply([LAMP, BAY], [MARKET], 1_000, "anna")
    with Inventory(Relational(tmp_path / "inventory.sqlite")) as inventory:
        assert inventory.current() == {LAMP.device_id: LAMP, BAY.device_id: BAY}
        assert inventory.sites() == {("brandis", "markt"): MARKET}


def test_new_changed_and_unchanged_are_told_apart_and_only_changes_make_a_version(inventory: Inventory) -> None:
    assert inventory.apply([LAMP], [MARKET], 1_000, "anna") == ImportResult(new=2, changed=0, unchanged=0, version=1)
    assert inventory.apply([LAMP], [MARKET], 2_000, "anna") == ImportResult(new=0, changed=0, unchanged=2, version=1)
    larger = replace(MARKET, capacity=25)
    assert inventory.apply([LAMP, BAY], [larger], 3_000, "ben") == ImportResult(1, 1, 1, version=2)
    assert len(inventory.history(LAMP.device_id)) == 1


def test_history_says_what_was_when_and_who_said_so(inventory: Inventory) -> None:
    brighter = replace(LAMP, nominal_w=60.0)
    inventory.apply([LAMP], [], 1_000, "anna")
    inventory.apply([brighter], [], 5_000, "ben")
    versions = inventory.history(LAMP.device_id)
    assert [version.record for version in versions] == [LAMP, brighter]
    assert [(version.valid_from_ms, version.valid_to_ms, version.version, version.by) for version in versions] == [
        (1_000, 5_000, 1, "anna"),
        (5_000, None, 2, "ben"),
    ]


@pytest.mark.parametrize(
    ("at_ms", "nominal_w"), [(999, None), (1_000, 35.5), (4_999, 35.5), (5_000, 60.0), (10**15, 60.0)]
)
def test_a_past_instant_sees_what_held_then(inventory: Inventory, at_ms: int, nominal_w: float | None) -> None:
    inventory.apply([LAMP], [], 1_000, "anna")
    inventory.apply([replace(LAMP, nominal_w=60.0)], [], 5_000, "ben")
    device = inventory.device(LAMP.device_id, at_ms)
    assert (device.nominal_w if device else None) == nominal_w
    assert inventory.current(at_ms) == ({device.device_id: device} if device else {})


def test_a_clock_that_was_set_back_does_not_rewrite_history(inventory: Inventory) -> None:
    inventory.apply([LAMP], [], 5_000, "anna")
    inventory.apply([replace(LAMP, pole="7")], [], 1_000, "ben")
    assert inventory.current(4_999) == {}
    assert inventory.current(5_000)[LAMP.device_id].pole == "7"
    assert [version.valid_from_ms for version in inventory.history(LAMP.device_id)] == [5_000, 5_000]


changes = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 2), st.sampled_from([None, "0" * 16]))),
    ),
    max_size=8,
)


@given(changes)
@settings(max_examples=40, deadline=None)
def test_the_state_at_any_past_instant_is_what_was_applied_until_then(
    steps: list[tuple[int, dict[str, tuple[int, str | None]]]],
) -> None:
    state: dict[str, Device] = {}
    expected: dict[int, dict[str, Device]] = {}
    now_ms, version = 0, 0
    with TemporaryDirectory() as folder, Inventory(Relational(Path(folder) / "inventory.sqlite")) as inventory:
        for at_ms, cells in steps:
            devices = [
                Device(device_id=name, kind="lamp", town="brandis", capacity=capacity, dev_eui=radio)
                for name, (capacity, radio) in cells.items()
            ]
            wanted = state | {device.device_id: device for device in devices}
            if sum(device.dev_eui is not None for device in wanted.values()) > 1:
                with pytest.raises(RadioTakenError):
                    inventory.apply(devices, [], at_ms, "anna")
            else:
                changed = wanted != state
                version += changed
                now_ms = max(now_ms, at_ms) if changed else now_ms
                state = wanted
                assert inventory.apply(devices, [], at_ms, "anna").version == version
            expected[now_ms] = state
        for instant_ms in range(52):
            past = [at_ms for at_ms in expected if at_ms <= instant_ms]
            assert inventory.current(instant_ms) == (expected[max(past)] if past else {})
        assert inventory.current() == inventory.snapshot().devices == state
        assert inventory.version() == version


def test_more_devices_than_one_query_can_name_are_applied_at_once(inventory: Inventory) -> None:
    devices = [replace(LAMP, device_id=f"L{number}") for number in range(2 * KEYS_PER_QUERY + 1)]
    assert inventory.apply(devices, [], 1_000, "anna").new == len(devices)
    assert inventory.apply(devices, [], 2_000, "anna").unchanged == len(devices)


def test_sites_with_the_same_id_in_two_towns_are_two(inventory: Inventory) -> None:
    other = replace(MARKET, town="naunhof", capacity=30)
    inventory.apply([], [MARKET, other], 1_000, "anna")
    assert inventory.apply([], [other], 2_000, "anna").unchanged == 1
    assert inventory.sites() == {("brandis", "markt"): MARKET, ("naunhof", "markt"): other}
    assert inventory.sites(at_ms=999) == {}


def test_a_radio_that_another_device_has_is_refused_and_nothing_is_changed(inventory: Inventory) -> None:
    inventory.apply([BAY], [], 1_000, "anna")
    thief = replace(LAMP, dev_eui=BAY.dev_eui)
    with pytest.raises(RadioTakenError, match=r"BOR-0042 \(has BRA-P1-07\); retire the other device"):
        inventory.apply([replace(BAY, device_id="BRA-P1-08", dev_eui=None), thief], [], 2_000, "ben")
    assert inventory.version() == 1
    assert list(inventory.current()) == [BAY.device_id]


def test_two_devices_may_swap_their_radios_in_one_change(inventory: Inventory) -> None:
    other = replace(BAY, device_id="BRA-P1-08", dev_eui="70B3D57ED005E2A2")
    inventory.apply([BAY, other], [], 1_000, "anna")
    swapped = [replace(BAY, dev_eui=other.dev_eui), replace(other, dev_eui=BAY.dev_eui)]
    assert inventory.apply(swapped, [], 2_000, "anna").changed == 2
    assert inventory.snapshot().by_eui["70B3D57ED005E2A1"].device_id == "BRA-P1-08"


def test_a_retired_device_keeps_its_history_and_gives_its_radio_away(inventory: Inventory) -> None:
    inventory.apply([BAY], [], 1_000, "anna")
    inventory.retire(BAY.device_id, 2_000, "ben")
    successor = replace(BAY, device_id="BRA-P1-08")
    inventory.apply([successor], [], 3_000, "ben")
    assert inventory.snapshot().by_eui == {BAY.dev_eui: successor}
    assert inventory.current()[BAY.device_id].stage == "retired"
    assert [version.record.stage for version in inventory.history(BAY.device_id)] == ["live", "retired"]
    with pytest.raises(RadioTakenError):
        inventory.apply([BAY], [], 4_000, "ben")


def test_a_device_nobody_knows_can_not_be_retired(inventory: Inventory) -> None:
    with pytest.raises(InventoryError, match="there is no device 'nobody'"):
        inventory.retire("nobody", 1_000, "anna")


def test_a_file_is_checked_against_the_radios_of_the_database_by_line(inventory: Inventory) -> None:
    inventory.apply([BAY], [], 1_000, "anna")
    parsed = parse_inventory(f"device_id,kind,town,dev_eui\na,sos,brandis,\nb,sos,brandis,{BAY.dev_eui}\n")
    checked = inventory.check(parsed)
    assert [device.device_id for device in checked.devices] == ["a"]
    assert [str(problem) for problem in checked.problems] == [
        "line 3, column dev_eui: '70B3D57ED005E2A1' is already used by the device BRA-P1-07"
    ]


def test_a_row_that_relied_on_a_refused_row_is_refused_with_it(inventory: Inventory) -> None:
    first, second = "0" * 16, "1" * 16
    has_first, has_second = replace(BAY, device_id="a", dev_eui=first), replace(BAY, device_id="c", dev_eui=second)
    inventory.apply([has_first, has_second], [], 1_000, "anna")
    text_of_file = f"device_id,kind,town,dev_eui\na,sos,brandis,{second}\nb,sos,brandis,{first}\n"
    checked = inventory.check(parse_inventory(text_of_file))
    assert checked.devices == ()
    assert [problem.line for problem in checked.problems] == [2, 3]


def test_an_export_applied_again_changes_nothing(inventory: Inventory) -> None:
    inventory.apply([LAMP, BAY], [], 1_000, "anna")
    parsed = inventory.check(parse_inventory(export_devices(inventory.current().values())))
    assert inventory.apply(parsed.devices, parsed.sites, 2_000, "ben").unchanged == 2


def test_a_snapshot_is_the_same_object_until_the_inventory_changes(inventory: Inventory, tmp_path: Path) -> None:
    inventory.apply([LAMP, BAY], [MARKET], 1_000, "anna")
    before = inventory.snapshot()
    assert inventory.snapshot() is before
    assert (before.by_eui, before.sites) == ({BAY.dev_eui: BAY}, {("brandis", "markt"): MARKET})
    with Inventory(Relational(tmp_path / "inventory.sqlite")) as elsewhere:
        elsewhere.apply([replace(LAMP, pole="7")], [], 2_000, "ben")
    assert inventory.snapshot().devices[LAMP.device_id].pole == "7"
    assert before.devices[LAMP.device_id] == LAMP


def test_changes_of_several_threads_come_one_after_the_other(inventory: Inventory) -> None:
    def commission(worker: int) -> None:
        for number in range(5):
            inventory.apply([replace(LAMP, device_id=f"L{worker}-{number}")], [], 1_000, f"worker {worker}")

    workers = [threading.Thread(target=commission, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert (inventory.version(), len(inventory.current())) == (20, 20)


def test_sqlite_writes_through_with_a_rollback_journal(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'inventory.sqlite'}")
    for _ in range(2):  # An engine may be opened again.
        with Inventory(Relational(engine)) as inventory, engine.connect() as connection:
            inventory.apply([LAMP], [], 1_000, "anna")
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            found = [connection.execute(text(f"PRAGMA {pragma}")).scalar_one() for pragma in pragmas]
            assert found == ["delete", 2, 1, 10_000]


def test_an_inventory_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inventory.sqlite"
    with Inventory(Relational(path)):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseError, match="was written by a newer program"):
        Inventory(Relational(path)).open()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "inventory.sqlite"
    path.write_bytes(b"device_id,kind,town\n" * 100)
    with pytest.raises(DatabaseError, match=r"inventory\.sqlite can't be used: file is not a database"):
        Inventory(Relational(path)).open()
    assert path.read_bytes().startswith(b"device_id")


def test_a_folder_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="unable to open database file; check that its folder exists"):
        Inventory(Relational(tmp_path / "nowhere" / "inventory.sqlite")).open()
