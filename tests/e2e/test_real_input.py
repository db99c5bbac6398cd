"""Real captures through the real path: each oddity is handled and counted, none silently dropped.

The captures are those of ../shared (LoRaWAN: CampusIoT, ODbL-1.0; Birmingham: UCI, OGL); without them small extracts
are in tests/deploy and tests/gateway.
"""

import csv
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.platform import REPOSITORY, Platform, command, until

SHARED = Path(os.environ.get("PARTHELAND_SHARED", REPOSITORY.parent / "shared")) / "data"

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason=f"the real captures are not at {SHARED}")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    found = Platform(tmp_path / "platform")
    try:
        found.start()
        yield found
    finally:
        found.stop()


def replay(platform: Platform, path: Path, form: str) -> str:
    """Run the command as a person would; what it said."""
    arguments = ["replay", str(path), "--as", form, "--commission", "--data", str(platform.data)]
    return command(*arguments)[1]


def frames_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_a_capture_of_chirpstack_is_stored_frame_by_frame(platform: Platform) -> None:
    path = SHARED / "lorawan" / "d1d1e80000000032_campusiot.ndjson.gz"
    every = frames_of(path)
    uplinks = [frame for frame in every if "fCnt" in frame]
    distinct = {(frame["fCnt"], frame["data"]) for frame in uplinks}
    said = replay(platform, path, "chirpstack3")
    until("all are there", lambda: count(platform) == len(distinct), 120)
    until("everything is read", platform.drained)
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert report["duplicates"] == len(uplinks) - len(distinct) == 1
    assert str(len(every)) in said.replace(",", "").replace(".", "")
    (device,) = platform.get("/api/v1/devices")["items"]
    lost = max(frame["fCnt"] for frame in uplinks) - min(frame["fCnt"] for frame in uplinks) + 1 - len(distinct)
    assert (device["heard"], device["repeats"], device["lost"]) == (len(distinct), 1, lost)


def test_a_capture_with_thousands_of_repeats_and_a_new_session_is_stored_once(platform: Platform) -> None:
    path = SHARED / "lorawan" / "ems-tourperret-A81758FFFE04B1C1.ndjson.gz"
    frames = frames_of(path)
    distinct = len({(frame["devaddr"], frame["fcnt"], frame["payload"]) for frame in frames})
    replay(platform, path, "helium")
    until("all are there", lambda: count(platform) == distinct, 120)
    until("everything is read", platform.drained)
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert report["duplicates"] == len(frames) - distinct == 1983


def test_the_car_parks_of_birmingham_with_repeats_and_impossible_counts(platform: Platform) -> None:
    path = SHARED / "birmingham" / "parking_birmingham_20161004_20161107.csv"
    with path.open(encoding="utf-8") as lines:
        rows = [(row["SystemCodeNumber"], row["LastUpdated"], int(row["Occupancy"])) for row in csv.DictReader(lines)]
    negative = [row for row in rows if row[2] < 0]
    possible = {row for row in rows if row[2] >= 0}
    replay(platform, path, "occupancy")
    until("all are there", lambda: count(platform) == len(possible), 120)
    until("everything is read", platform.drained)
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert report["accepted"] == len(possible)
    assert report["quarantined"] == len(negative)
    assert report["duplicates"] == len(rows) - len(negative) - len(possible)
    assert platform.get("/api/v1/quarantine")["counts"] == {"out_of_range": len(negative)}


def count(platform: Platform) -> int:
    return int(platform.get("/api/v1/readings/count")["count"])
