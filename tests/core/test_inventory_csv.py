"""The inventory as CSV: what is read, what is refused with its reason, and that nothing changes on the way."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.device import DEVICE_COLUMNS, PHASES, SITE_COLUMNS, STAGES, SUPPLIES, Device, Site
from core.inventory_csv import Problem, decode_csv, export_devices, export_sites, parse_inventory
from core.kinds import KINDS
from core.town import TOWNS

LAMP = Device(device_id="BOR-0042", kind="lamp", town="borsdorf")

ids = st.text("abzABZ019_-", min_size=1, max_size=64)
plain = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)
formulas = st.text("'=+-@;,\"a1( ", max_size=6)
texts = st.none() | (plain | formulas).map(lambda text: text.strip() or None)
some_ids = st.none() | ids
towns = st.sampled_from([town.id for town in TOWNS])
powers_w = st.none() | st.floats(0, 200_000)
capacities = st.none() | st.integers(0, 100_000)
places = st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180))

DEVICE_CELLS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("model", "owner", "name", "street", "pole", "audience"), texts),
    **dict.fromkeys(("device_type", "site", "cabinet", "circuit"), some_ids),
    **dict.fromkeys(("nominal_w", "min_w"), powers_w),
    "device_id": ids,
    "kind": st.sampled_from(KINDS),
    "town": towns,
    "phase": st.sampled_from([None, *PHASES]),
    "supply": st.sampled_from([None, *SUPPLIES]),
    "min_dim_pct": st.none() | st.floats(0, 100),
    "interval_s": st.none() | st.integers(1, 2_678_400),
    "profile": st.sampled_from([None, "100@dusk;50@23:00;0@dawn", "Fr-Sa:100@dusk|0@dusk"]),
    "capacity": capacities,
    "stage": st.sampled_from(STAGES),
    "dev_eui": st.none() | st.text("0123456789ABCDEF", min_size=16, max_size=16),
}
SITE_CELLS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("name", "type", "address", "fee", "opening_hours", "max_stay"), texts),
    **{name: capacities for name in SITE_COLUMNS if name.startswith("capacity")},
    "site": ids,
    "town": towns,
}


def placed(cells: dict[str, Any], place: tuple[float, float] | None) -> dict[str, Any]:
    lat, lon = place or (None, None)
    nominal_w, min_w = cells.get("nominal_w"), cells.get("min_w")
    if nominal_w is not None and min_w is not None:
        cells = {**cells, "nominal_w": max(nominal_w, min_w), "min_w": min(nominal_w, min_w)}
    return {**cells, "lat": lat, "lon": lon}


valid_devices = st.builds(placed, st.fixed_dictionaries(DEVICE_CELLS), places).map(lambda cells: Device(**cells))
valid_sites = st.builds(placed, st.fixed_dictionaries(SITE_CELLS), places).map(lambda cells: Site(**cells))
device_lists = st.lists(
    valid_devices, max_size=5, unique_by=(lambda device: device.device_id, lambda device: device.dev_eui or device)
)


@given(device_lists)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exported_devices_are_imported_as_exactly_the_same(devices: list[Device]) -> None:
    text = export_devices(devices)
    for variant in (text, "\ufeff" + text, text.replace("\n", "\r\n")):
        parsed = parse_inventory(variant)
        assert parsed.problems == ()
        assert parsed.devices == tuple(sorted(devices, key=lambda device: device.device_id))


@given(st.lists(valid_sites, max_size=5, unique_by=lambda site: (site.town, site.site)))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exported_sites_are_imported_as_exactly_the_same(sites: list[Site]) -> None:
    parsed = parse_inventory(export_sites(sites))
    assert parsed.problems == ()
    assert parsed.sites == tuple(sorted(sites, key=lambda site: (site.town, site.site)))


@given(st.text(alphabet="device_id,;kindtown\"'\r\n\ufeff=LAMP\x00 1", max_size=200))
@settings(deadline=None)
def test_no_text_makes_the_reader_fail(text: str) -> None:
    parsed = parse_inventory(text)
    lines = text.count("\n") + text.count("\r") + 1
    assert all(1 <= problem.line <= lines for problem in parsed.problems)
    assert parsed.problems or "device_id" in text.casefold()


def test_the_columns_are_those_of_the_contract_in_their_order() -> None:
    header = export_devices([]).strip()
    assert header == (
        "device_id,kind,device_type,model,owner,town,name,lat,lon,street,site,pole,cabinet,circuit,phase,supply,"
        "nominal_w,min_dim_pct,min_w,interval_s,profile,audience,capacity,stage,dev_eui"
    )
    assert header.split(",") == list(DEVICE_COLUMNS)
    assert export_sites([]).startswith(
        "site,town,name,lat,lon,type,address,fee,opening_hours,max_stay,capacity,capacity_disabled,capacity_charging"
    )


def test_missing_columns_are_empty_and_an_empty_stage_is_live() -> None:
    parsed = parse_inventory("town,kind,device_id\nborsdorf,lamp,BOR-0042\n")
    assert parsed.devices == (LAMP,)
    assert LAMP.stage == "live"
    assert parsed.device_lines == {"BOR-0042": 2}


def test_a_file_of_a_german_spreadsheet_is_read_with_its_semicolons_and_decimal_commas() -> None:
    header = "\ufeffDevice_ID;Kind;Town;Lat;Lon;Nominal_W;Name\r\n"
    text = header + "BOR-0042;Lamp;Borsdorf;51,3478;12.5386;35,5;Am Ring 3, hinten\r\n"
    device = replace(LAMP, lat=51.3478, lon=12.5386, nominal_w=35.5, name="Am Ring 3, hinten")
    assert parse_inventory(text).devices == (device,)
    assert parse_inventory(text.replace("\ufeff", "sep=;\r\n")).devices == (device,)


def test_a_row_may_leave_out_empty_cells_at_its_end_and_may_have_too_many_empty_ones() -> None:
    parsed = parse_inventory("device_id,kind,town,name,,\nBOR-0042,lamp,borsdorf\n\nBOR-0043,lamp,borsdorf,x,,,\n")
    assert [device.name for device in parsed.devices] == [None, "x"]
    assert parsed.problems == ()


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("device_id", "BOR 42", "'BOR 42' is no id; expected 1 to 64 of the characters A-Z a-z 0-9 _ -"),
        ("device_id", "", "is empty; this column must be filled"),
        ("kind", "lampe", "'lampe' is not known; expected one of lamp, cabinet"),
        ("town", "leipzig", "'leipzig' is not known; expected one of borsdorf, brandis"),
        ("town", "", "is empty; this column must be filled"),
        ("lat", "91", "'91' is out of range; expected -90 … 90"),
        ("lon", "-180.1", "out of range; expected -180 … 180"),
        ("lat", "51,3", "'51,3' is no number; expected -90 … 90, e.g. 51.25"),
        ("lat", "nan", "'nan' is no number"),
        ("nominal_w", "1_000", "'1_000' is no number"),
        ("nominal_w", "٣", "is no number"),
        ("nominal_w", "-1", "out of range; expected 0 … 200000"),
        ("min_dim_pct", "100.5", "out of range; expected 0 … 100"),
        ("interval_s", "0", "out of range; expected 1 … "),
        ("interval_s", "12.5", "is no whole number"),
        ("capacity", "1e99", "out of range"),
        ("circuit", "1/2", "is no id"),
        ("phase", "L4", "expected one of L1, L2, L3"),
        ("supply", "dusk", "expected one of permanent, switched_dusk, switched_halfnight"),
        ("stage", "dead", "expected one of planned, installed, live, maintenance, retired"),
        ("profile", "100@dusk;0@25:00", "25:00 is no time; expected 00:00 … 23:59 (character 12)"),
        ("dev_eui", "70B3D57ED005", "is no EUI; expected 16 hexadecimal digits"),
        ("dev_eui", "7.0B3E+15", "is no EUI"),
        ("dev_eui", "1.23457E+15", "a spreadsheet has rounded it: format the column as text"),
        ("name", "a\tb", "holds the control character U+0009"),
        ("name", "x" * 501, "has 501 characters; expected 500 at most"),
        ("device_type", "x" * 65, "has 65 characters; expected 64 at most"),
    ],
)
def test_a_wrong_cell_is_told_by_line_column_and_reason_and_the_right_rows_are_kept(
    column: str, text: str, reason: str
) -> None:
    good = {"device_id": "BOR-0042", "kind": "lamp", "town": "borsdorf", "lat": "51.3", "lon": "12.5"}
    bad = {**good, "device_id": "BOR-0043", column: text}
    header = list(dict.fromkeys([*good, column]))
    lines = [header, [good.get(name, "") for name in header], [f'"{bad[name]}"' for name in header]]
    parsed = parse_inventory("\n".join(",".join(line) for line in lines))
    assert [device.device_id for device in parsed.devices] == ["BOR-0042"]
    assert [(problem.line, problem.column) for problem in parsed.problems] == [(3, column)]
    assert reason in parsed.problems[0].reason


def test_every_wrong_cell_of_a_row_is_told_at_once() -> None:
    parsed = parse_inventory("device_id,kind,town,lat\na b,lamp,x,900\n")
    assert [problem.column for problem in parsed.problems] == ["device_id", "lat", "town"]


def test_a_lamp_that_needs_more_dimmed_than_at_full_power_is_refused() -> None:
    header = "device_id,kind,town,nominal_w,min_w\n"
    rows = ["a,lamp,brandis,40,40", "b,lamp,brandis,40,40.5", "c,lamp,brandis,,50", "d,lamp,brandis,40,"]
    parsed = parse_inventory(header + "\n".join(rows))
    assert [device.device_id for device in parsed.devices] == ["a", "c", "d"]
    reason = "'40.5' is more than nominal_w, which is 40; expected that at most"
    assert parsed.problems == (Problem(3, "min_w", reason),)


def test_half_a_place_is_refused() -> None:
    parsed = parse_inventory("device_id,kind,town,lat\nBOR-0042,lamp,borsdorf,51.3\n")
    assert parsed.problems == (Problem(2, "lon", "is empty; expected lat and lon together, or neither"),)


def test_a_dev_eui_is_read_in_any_usual_writing() -> None:
    rows = ["70:b3:d5:7e:d0:05:e2:a1", "70-B3-D5-7E-D0-05-E2-A2", "70b3 d57e d005 e2a3", "70B3D57ED005E2A4"]
    text = "\n".join(["device_id,kind,town,dev_eui", *(f"l{n},lamp,brandis,{eui}" for n, eui in enumerate(rows))])
    assert [device.dev_eui for device in parse_inventory(text).devices] == [f"70B3D57ED005E2A{n}" for n in range(1, 5)]


def test_an_unknown_column_is_told_with_the_nearest_known_one() -> None:
    parsed = parse_inventory("device_id,kind,town,dev_euy\nBOR-0042,lamp,borsdorf,x\n")
    assert parsed.problems == (Problem(1, "dev_euy", "is no column of the inventory; did you mean dev_eui?"),)
    assert parsed.devices == (LAMP,)


def test_a_column_that_must_be_there_is_missed_once_not_on_each_line() -> None:
    parsed = parse_inventory("device_id,kind\n" + "BOR-0042,lamp\n" * 50)
    assert parsed.problems == (Problem(1, "town", "is missing; this column must be there and filled"),)


@pytest.mark.parametrize(
    ("header", "reason"),
    [("device_id,kind,town,kind", "stands twice"), ("device_id,,kind,town", "number 2 has no name")],
)
def test_a_header_that_can_be_misunderstood_is_refused(header: str, reason: str) -> None:
    assert reason in parse_inventory(header + "\n").problems[0].reason


@pytest.mark.parametrize("text", ["", "\ufeff", "\n\n", "sep=;\n"])
def test_an_empty_file_is_a_problem_of_its_first_line(text: str) -> None:
    assert "the file is empty" in parse_inventory(text).problems[0].reason


def test_an_id_or_a_radio_that_stands_twice_is_refused_where_it_stands_again() -> None:
    eui = "70B3D57ED005E2A1"
    text = f"device_id,kind,town,dev_eui\na,lamp,brandis,{eui}\na,lamp,brandis,\nb,lamp,brandis,{eui.lower()}\n"
    parsed = parse_inventory(text)
    assert [device.device_id for device in parsed.devices] == ["a"]
    assert [str(problem) for problem in parsed.problems] == [
        "line 3, column device_id: 'a' stands in line 2 already",
        f"line 4, column dev_eui: '{eui}' stands in line 2 already",
    ]


def test_the_radio_of_a_retired_device_may_be_mounted_again() -> None:
    eui = "70B3D57ED005E2A1"
    parsed = parse_inventory(
        f"device_id,kind,town,stage,dev_eui\na,lamp,brandis,retired,{eui}\nb,lamp,brandis,live,{eui}\n"
    )
    assert len(parsed.devices) == 2
    assert parsed.problems == ()


def test_sites_of_two_towns_may_have_the_same_id() -> None:
    parsed = parse_inventory("site,town,capacity\nmarkt,brandis,20\nmarkt,naunhof,30\nmarkt,brandis,40\n")
    assert [(site.town, site.capacity) for site in parsed.sites] == [("brandis", 20), ("naunhof", 30)]
    assert parsed.problems == (Problem(4, "site", "'markt' stands in line 2 already"),)


def test_a_row_that_has_slipped_is_refused() -> None:
    parsed = parse_inventory("device_id,kind,town,name\nBOR-0042,lamp,borsdorf,Ring 3, hinten\n")
    assert parsed.problems == (Problem(2, "", "has 5 cells; expected 4 as in the header"),)


def test_a_quote_that_is_never_closed_is_told_with_the_line_it_stands_in() -> None:
    parsed = parse_inventory('device_id,kind,town,name\nBOR-0042,lamp,borsdorf,"Ring\nBOR-0043,lamp,borsdorf,x\n')
    assert [problem.line for problem in parsed.problems] == [2]
    assert "expected every quote to be closed" in parsed.problems[0].reason


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    parsed = parse_inventory('device_id,kind,town,name\n\na,lamp,brandis,"two\nlines"\nb,lamp,x,\n')
    assert [problem.line for problem in parsed.problems] == [3, 5]


def test_free_text_never_becomes_a_formula_and_ids_stay_as_they_are() -> None:
    device = replace(LAMP, device_id="-1", name="=HYPERLINK(1)", street="'+x", pole="@7", model="-")
    text = export_devices([device])
    assert text.splitlines()[1].startswith("-1,lamp,,'-,,borsdorf,'=HYPERLINK(1),,,''+x,,'@7,")
    assert parse_inventory(text).devices == (device,)


def test_bytes_that_are_not_utf_8_are_told_with_their_line() -> None:
    assert decode_csv("\ufeffGroßpösna".encode()) == "Großpösna"
    with pytest.raises(ValueError, match="line 2 is not UTF-8; save the file as 'CSV UTF-8'"):
        decode_csv("device_id\nGroßpösna".encode("cp1252"))
