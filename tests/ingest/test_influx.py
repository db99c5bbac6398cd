"""InfluxStore with a real InfluxDB: what any other program finds in the bucket, and what the server refuses."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import RealClock
from core.reading import Readings, concat, from_rows
from ingest.influx import InfluxStore
from ingest.influx_flux import flux_text
from ingest.store import Query, StoreAway, StoreError
from tests.support.influxd import InfluxServer

pytestmark = pytest.mark.influxd
DAY_MS = 86_400_000


@pytest.fixture
def store(influxd: InfluxServer, tmp_path: Path) -> Iterator[InfluxStore]:
    made = new_store(influxd, tmp_path)
    made.open()
    yield made
    made.close()


def new_store(server: InfluxServer, folder: Path, token: str = "", retention_s: int = 0) -> InfluxStore:
    path, clock = folder / "position", RealClock()
    return InfluxStore(server.url, token or server.token, server.org, path, clock, folder.name, retention_s)


def one(device_id: str, kind: str, seq: int, t_ms: int, **values: float | bool | str) -> Readings:
    return from_rows([device_id], [kind], [t_ms], [t_ms + 250], [3], [seq], [values])


def answer(server: InfluxServer, flux: str) -> list[dict[str, str]]:
    """The rows of a raw Flux answer, with the type of each column under `#column`."""
    rows: list[dict[str, str]] = []
    types: list[str] = []
    header: list[str] = []
    question: dict[str, object] = {"query": flux, "type": "flux", "dialect": {"annotations": ["datatype"]}}
    for line in csv.reader(io.StringIO(server.post(f"/api/v2/query?org={server.org}", question))):
        if line and line[0] == "#datatype":
            types, header = line, []
        elif line and not line[0].startswith("#"):
            if header:
                kinds = {f"#{name}": kind for name, kind in zip(header, types, strict=True)}
                rows.append(dict(zip(header, line, strict=True)) | kinds)
            else:
                header = line
    return rows


def test_the_bucket_has_the_published_schema(influxd: InfluxServer, store: InfluxStore) -> None:
    t_ms = 1_768_068_000_123
    lamp = one("NAU-L1", "lamp", 81_234, t_ms, power_w=35.0, relay_closed=True, gateway="GW 1")
    store.write(concat([lamp, one("BRA-S1", "sos", 4, t_ms, event="press", press_id=17)]), 2)
    rows = answer(influxd, f'from(bucket: "{store.bucket}") |> range(start: 0)')
    tags = {name for row in rows for name in row if not name.startswith(("#", "_")) and name}
    assert tags - {"result", "table"} == {"device_id"}
    assert {(row["_measurement"], row["device_id"]) for row in rows} == {("lamp", "NAU-L1"), ("sos", "BRA-S1")}
    own = {"received": "long", "boot": "long", "seq": "long", "quality": "string"}
    assert {row["_field"]: row["#_value"] for row in rows if row["_measurement"] == "lamp"} == {
        **own,
        "power_w": "double",
        "relay_closed": "boolean",
        "gateway": "string",
    }
    assert {row["_field"]: row["#_value"] for row in rows if row["_measurement"] == "sos"} == {
        **own,
        "event": "string",
        "press_id": "double",
    }
    assert {row["_time"] for row in rows} == {"2026-01-10T18:00:00.123000234Z", "2026-01-10T18:00:00.123000004Z"}


def test_two_readings_of_one_millisecond_do_not_overwrite_each_other(store: InfluxStore) -> None:
    store.write(concat([one("NAU-L1", "lamp", seq, 1_768_068_000_123, dim_pct=1.0) for seq in range(5)]), 5)
    assert store.count(Query(device_id="NAU-L1")) == 5


def test_points_of_other_programs_are_left_alone(influxd: InfluxServer, store: InfluxStore) -> None:
    store.write(one("NAU-L1", "lamp", 1, 1_768_068_000_000, dim_pct=1.0), 1)
    influxd.write_lines(store.bucket, "lamp,device_id=X dim_pct=1 1768068000000000000\nmem used=3i 1768068000000000000")
    assert [item.device_id for item in store.scan(Query())] == ["NAU-L1"]


def test_a_type_conflict_costs_the_points_in_conflict_only(influxd: InfluxServer, store: InfluxStore) -> None:
    influxd.write_lines(store.bucket, "lamp,device_id=X tilt_deg=true 1768068000000000000")
    good = [one(f"NAU-L{n}", "lamp", n, 1_768_068_000_000, dim_pct=1.0) for n in range(20)]
    tilted = [one(f"NAU-T{n}", "lamp", n, 1_768_068_000_000, tilt_deg=1.0) for n in range(3)]
    refused = store.write(concat([*good[:10], *tilted, *good[10:]]), 23)
    assert {refusal.device_id for refusal in refused} == {"NAU-T0", "NAU-T1", "NAU-T2"}
    assert all("field type conflict" in refusal.reason and refusal.raw for refusal in refused)
    assert (store.count(Query()), store.position()) == (20, 23)


def test_two_conflicts_in_one_batch_are_told_apart(influxd: InfluxServer, store: InfluxStore) -> None:
    influxd.write_lines(store.bucket, "lamp,device_id=X tilt_deg=true,current_a=true 1768068000000000000")
    good = [one(f"NAU-L{n}", "lamp", n, 1_768_068_000_000, dim_pct=1.0) for n in range(20)]
    bad = [
        one("NAU-T1", "lamp", 1, 1_768_068_000_000, tilt_deg=1.0),
        one("NAU-T2", "lamp", 1, 1_768_068_000_000, current_a=1.0),
    ]
    refused = store.write(concat([bad[0], *good, bad[1]]), 22)
    assert {refusal.device_id for refusal in refused} == {"NAU-T1", "NAU-T2"}
    assert store.count(Query()) == 20


def test_what_is_older_than_the_retention_is_refused_by_name(influxd: InfluxServer, tmp_path: Path) -> None:
    store = new_store(influxd, tmp_path, retention_s=3600)
    store.open()
    now_ms = RealClock().now_ms()
    old = [one(f"NAU-O{n}", "lamp", n, now_ms - n * DAY_MS, dim_pct=1.0) for n in (3, 4, 5)]
    new = [one(f"NAU-L{n}", "lamp", n, now_ms - n, dim_pct=1.0) for n in range(50)]
    refused = store.write(concat([*new[:7], *old, *new[7:]]), 53)
    assert {refusal.device_id for refusal in refused} == {"NAU-O3", "NAU-O4", "NAU-O5"}
    assert (store.count(Query()), store.position()) == (50, 53)
    store.close()


def test_the_bucket_is_made_with_the_retention_asked_for(influxd: InfluxServer, tmp_path: Path) -> None:
    store = new_store(influxd, tmp_path, retention_s=7 * 86_400)
    store.open()
    store.close()
    assert bucket(influxd, store.bucket)["retentionRules"][0]["everySeconds"] == 7 * 86_400


def test_into_a_bucket_made_anew_everything_is_written_again(influxd: InfluxServer, tmp_path: Path) -> None:
    store = new_store(influxd, tmp_path)
    store.open()
    store.write(one("NAU-L1", "lamp", 1, 1_768_068_000_000), 1)
    influxd._request("DELETE", f"/api/v2/buckets/{bucket(influxd, store.bucket)['id']}", None)
    with pytest.raises(StoreError, match="bucket"):
        store.write(one("NAU-L1", "lamp", 2, 1_768_068_000_001), 2)
    store.open()
    assert (store.position(), store.count(Query())) == (0, 0)
    store.close()


def test_a_wrong_token_says_what_to_do(influxd: InfluxServer, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="token") as caught:
        new_store(influxd, tmp_path, token="wrong").open()
    assert not isinstance(caught.value, StoreAway)


def test_a_server_that_went_away_takes_the_same_batch_when_it_is_back(
    influxd: InfluxServer, store: InfluxStore
) -> None:
    readings = concat([one("NAU-L1", "lamp", seq, 1_768_068_000_000) for seq in range(100)])
    store.write(readings, 100)
    influxd.kill()
    with pytest.raises(StoreAway):
        store.write(readings, 101)
    with pytest.raises(StoreAway):
        store.count(Query())
    influxd.start()
    store.write(readings, 101)
    assert (store.count(Query()), store.position()) == (100, 101)


def test_a_damaged_position_file_is_named(influxd: InfluxServer, tmp_path: Path) -> None:
    (tmp_path / "position").write_bytes(b"\x00\x00")
    with pytest.raises(StoreError, match="Remove it"):
        new_store(influxd, tmp_path).open()


def test_a_store_that_is_not_open_is_away(tmp_path: Path) -> None:
    store = InfluxStore("http://127.0.0.1:1", "token", "o", tmp_path / "position", RealClock())
    with pytest.raises(StoreAway, match="not open"):
        store.count(Query())


def test_nothing_breaks_out_of_a_flux_text() -> None:
    assert flux_text("NAU-L1") == '"NAU-L1"'
    assert flux_text('a" or "${b}\\\n') == '"a\\x22 or \\x22\\x24\\x7bb\\x7d\\x5c\\x0a"'
    assert flux_text("ü") == '"\\xc3\\xbc"'


def bucket(server: InfluxServer, name: str) -> dict[str, list[dict[str, int]]]:
    found: dict[str, list[dict[str, list[dict[str, int]]]]] = json.loads(
        server._request("GET", f"/api/v2/buckets?name={name}", None)
    )
    return found["buckets"][0]
