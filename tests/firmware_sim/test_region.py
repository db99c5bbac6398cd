import csv
from collections import Counter
from pathlib import Path

import pytest

from firmware_sim.inventory import DeviceRow
from firmware_sim.outlines import TOWNS, contains, distance_m, load_outlines, shared_out
from firmware_sim.profile import parse_profile
from firmware_sim.region import Region, generate
from firmware_sim.settings import Settings, Shares, Sizes

# The contract's columns, written out once more: a renamed field must fail here.
INVENTORY_HEADER = (
    "device_id,kind,device_type,model,owner,town,name,lat,lon,street,site,pole,cabinet,circuit,phase,supply,nominal_w,"
    "min_dim_pct,min_w,interval_s,profile,audience,capacity,stage,dev_eui"
)
SITES_HEADER = (
    "site,town,name,lat,lon,type,address,fee,opening_hours,max_stay,capacity,capacity_disabled,capacity_charging"
)


@pytest.fixture(scope="module")
def region() -> Region:
    return generate(Settings(), seed=1)


def rows_of(region: Region, kind: str) -> list[DeviceRow]:
    return [row for row in region.rows if row.kind == kind]


def test_the_region_has_the_size_that_was_asked_for(region: Region) -> None:
    counts = Counter(row.kind for row in region.rows)
    assert (counts["lamp"], counts["parking"], counts["sos"], counts["counter"], counts["gateway"]) == (
        3000, 300, 40, 4, 9,
    )  # fmt: skip
    assert len({row.site for row in rows_of(region, "parking")}) == 12
    assert {row.town for row in rows_of(region, "lamp")} == {town.town for town in TOWNS}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_stands_inside_its_own_municipality(seed: int) -> None:
    outlines = load_outlines()
    region = generate(Settings(), seed)
    assert [row for row in region.rows if not contains(outlines[row.town], (row.lat, row.lon))] == []
    assert [site for site in region.sites if not contains(outlines[site.town], (site.lat, site.lon))] == []


def test_the_outlines_are_those_of_the_seven_towns() -> None:
    outlines = load_outlines()
    assert contains(outlines["naunhof"], (51.278, 12.588))
    assert not contains(outlines["naunhof"], (51.348, 12.539))
    assert not any(contains(ring, (51.3397, 12.3731)) for ring in outlines.values())  # Leipzig, market square


def test_ids_are_unique_and_well_formed(region: Region) -> None:
    ids = [row.device_id for row in region.rows]
    assert len(set(ids)) == len(ids)
    assert all(set(device_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789-") for device_id in ids)
    euis = [row.dev_eui for row in region.rows if row.dev_eui]
    assert len(set(euis)) == len(euis)
    assert all(len(bytes.fromhex(eui)) == 8 for eui in euis)


def test_each_lamp_hangs_on_a_phase_of_a_circuit_of_a_cabinet_not_far_away(region: Region) -> None:
    cabinets = {row.device_id: row for row in rows_of(region, "cabinet")}
    for lamp in rows_of(region, "lamp"):
        cabinet = cabinets[lamp.cabinet]
        assert lamp.town == cabinet.town
        assert lamp.phase in ("L1", "L2", "L3")
        assert distance_m((lamp.lat, lamp.lon), (cabinet.lat, cabinet.lon)) < 700
        parse_profile(lamp.profile)
    circuits = Counter((lamp.cabinet, lamp.circuit) for lamp in rows_of(region, "lamp"))
    assert max(circuits.values()) <= 15


def test_a_quarter_of_lamps_and_bays_and_a_tenth_of_the_buttons_speak_lorawan(region: Region) -> None:
    for kind, device_type, count in (
        ("lamp", "partheland-lamp-1", 750),
        ("parking", "partheland-bay-1", 75),
        ("sos", "partheland-sos-1", 4),
    ):
        typed = [row for row in rows_of(region, kind) if row.device_type == device_type]
        assert len(typed) == count
        assert all(row.dev_eui for row in typed)
        assert {row.device_type for row in rows_of(region, kind)} == {device_type, "native"}


def test_switched_circuits_are_switched_for_all_their_lamps(region: Region) -> None:
    supplies: dict[tuple[str, str], set[str]] = {}
    for lamp in rows_of(region, "lamp"):
        supplies.setdefault((lamp.cabinet, lamp.circuit), set()).add(lamp.supply)
    assert all(len(found) == 1 for found in supplies.values())
    assert set.union(*supplies.values()) == {"permanent", "switched_dusk", "switched_halfnight"}


def test_bays_of_a_site_are_as_many_as_its_capacity(region: Region) -> None:
    bays = Counter(row.site for row in rows_of(region, "parking"))
    capacities = {site.site: site.capacity for site in region.sites}
    assert all(capacities[site] == count for site, count in bays.items())


def test_the_files_have_exactly_the_contracts_columns(region: Region, tmp_path: Path) -> None:
    region.write_csv(tmp_path / "inventory.csv", tmp_path / "sites.csv")
    inventory = (tmp_path / "inventory.csv").read_text(encoding="utf-8")
    sites = (tmp_path / "sites.csv").read_text(encoding="utf-8")
    assert inventory.splitlines()[0] == INVENTORY_HEADER
    assert sites.splitlines()[0] == SITES_HEADER
    lines = list(csv.DictReader(inventory.splitlines()))
    assert len(lines) == len(region.rows)
    assert {line["stage"] for line in lines} == {"live"}


def test_one_seed_is_one_region() -> None:
    settings = Settings(sizes=Sizes(lamps=200, bays=30, buttons=5))
    assert generate(settings, 7) == generate(settings, 7)
    assert generate(settings, 7).rows != generate(settings, 8).rows


@pytest.mark.parametrize("sizes", [Sizes(lamps=0, bays=0, buttons=0, counters=0), Sizes(lamps=1, bays=1, buttons=1)])
def test_tiny_regions_are_regions_too(sizes: Sizes) -> None:
    region = generate(Settings(sizes=sizes, shares=Shares(lorawan=1.0)), 1)
    counts = Counter(row.kind for row in region.rows)
    assert (counts["lamp"], counts["parking"], counts["sos"]) == (sizes.lamps, sizes.bays, sizes.buttons)


def test_a_total_is_shared_out_to_the_last_one() -> None:
    assert shared_out(10, [1, 1, 1]) == [4, 3, 3]
    assert shared_out(0, [3, 5]) == [0, 0]
    assert sum(shared_out(2999, [town.population for town in TOWNS])) == 2999
