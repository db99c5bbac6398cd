"""`partheland backtest --store` on real stores: what came over the broker is found as the same readings on file are."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core import frame as frames
from core.clock import parse_instant_ms
from core.frame import Frame
from core.kinds import VALUES, Form
from core.reading import Scalar, from_rows
from core.topics import uplink_topic
from firmware_sim.physics.files import write_played
from firmware_sim.physics.plan import Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played
from tests.support.fleet import Fleet
from tests.support.frames import DARK_LAMP
from tests.support.influxd import InfluxServer
from tests.support.platform import Platform, command, until

GATEWAY = "played"
FRAME_READINGS = 2000
FAULTS = {"lamp_out": 100, "circuit_down": 1, "silent": 2, "frozen": 1}
PLAN = Plan(lamps=80, bays=6, buttons=2, days=3.0, seed=5, counts=FAULTS)
FLAGS = {name for values in VALUES.values() for name, value in values.items() if value.form is Form.FLAG}


@dataclass(frozen=True)
class Region:
    """A played region on file, and a stopped platform that took it in. `of` names the settings that ask a store."""

    folder: Path
    platform: Platform

    @property
    def on_file(self) -> list[str]:
        return [*self.inventory, "--readings", str(self.folder / "readings.csv")]

    @property
    def inventory(self) -> list[str]:
        return ["--inventory", str(self.folder / "inventory.csv"), "--sites", str(self.folder / "sites.csv")]

    def of(self, store: str) -> list[str]:
        return ["--config", str(self.folder / f"{store}.toml"), "--data", str(self.platform.data)]

    @contextmanager
    def running(self, store: str) -> Iterator[None]:
        """The centre runs, and asks this store."""
        config = self.platform.folder / "partheland.toml"
        config.write_text((self.folder / f"{store}.toml").read_text(encoding="utf-8"), encoding="utf-8")
        self.platform.start()
        try:
            yield
        finally:
            self.platform.stop()


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory, influxd_of_the_run: InfluxServer) -> Iterator[Region]:
    """Played, sent over the broker with its times of receipt, journaled, and in both stores."""
    folder = tmp_path_factory.mktemp("backtest")
    played = play(PLAN)
    write_played(played, folder)
    platform = Platform(folder / "platform", influxd_of_the_run)
    settings = (platform.folder / "partheland.toml").read_text(encoding="utf-8")
    for store in ("duckdb", "influxdb", "both"):
        (folder / f"{store}.toml").write_text(settings.replace('"both"', f'"{store}"'), encoding="utf-8")
    region = Region(folder, platform)
    with region.running("both"):
        header, *rows = (folder / "inventory.csv").read_text(encoding="utf-8").splitlines()
        platform.commission(rows, header)
        send(platform, played)
        until("everything came", lambda: platform.journaled(len(played)))
        until("everything is stored", platform.drained, 120)
    yield region


def send(platform: Platform, played: Played) -> None:
    """As a gateway would that received the readings when the play says so."""
    fleet = Fleet(platform.broker.port, GATEWAY)
    for first in range(0, len(played), FRAME_READINGS):
        frame = frame_of(played, first, min(first + FRAME_READINGS, len(played)))
        fleet.publish(uplink_topic(GATEWAY, frame.lane), frames.pack([frames.encode(frame)]))
    fleet.settle()
    fleet.stop()


def frame_of(played: Played, begin: int, end: int) -> Frame:
    kind_of = {row["device_id"]: row["kind"] for row in played.inventory}
    ids = [played.device_ids[number] for number in played.device[begin:end].tolist()]
    t_ms, received_ms = played.t_ms[begin:end].tolist(), played.received_ms[begin:end].tolist()
    numbers = range(begin, end)
    values = [values_of(played, row) for row in numbers]
    readings = from_rows(ids, [kind_of[one] for one in ids], t_ms, received_ms, [1] * len(ids), numbers, values)
    return Frame(
        GATEWAY, 1, begin + 1, "telemetry", readings, np.arange(len(ids), dtype=np.uint32), (b"{}",) * len(ids)
    )


def values_of(played: Played, row: int) -> dict[str, Scalar]:
    told = {name: float(column[row]) for name, column in played.values.items() if column[row] == column[row]}
    values: dict[str, Scalar] = {name: bool(value) if name in FLAGS else value for name, value in told.items()}
    return values | {name: text.words[text.codes[row]] for name, text in played.texts.items() if text.codes[row] >= 0}


def found(where: list[str], out: Path, *more: str) -> bytes:
    command("backtest", *where, "--out", str(out), *more)
    return out.read_bytes()


def rules_in(folder: Path, lasts: str) -> str:
    """A town's own rule: a lamp is dark after so long."""
    folder.mkdir()
    text = DARK_LAMP.read_text(encoding="utf-8")
    assert 'for = "20m"' in text
    (folder / "mine.toml").write_text(text.replace('for = "20m"', f'for = "{lasts}"'), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("store", ["duckdb", "influxdb"])
def test_the_history_of_a_store_finds_what_the_same_readings_on_file_find(
    region: Region, tmp_path: Path, store: str
) -> None:
    expected = found(region.on_file, tmp_path / "files.jsonl")
    assert {"lamp_out", "circuit_down", "silent"} <= {json.loads(line)["rule"] for line in expected.splitlines()}
    assert found(["--store", *region.of(store)], tmp_path / "stopped.jsonl") == expected
    with region.running(store):
        assert found(["--store", *region.of(store)], tmp_path / "running.jsonl") == expected
        exported = [tmp_path / f"{kind}.parquet" for kind in ("lamp", "cabinet", "parking", "gateway", "sos")]
        for path in exported:
            command("export", "readings", "--kind", path.stem, "--out", str(path), *region.of(store))
    files = [word for path in exported for word in ("--readings", str(path))]
    assert found([*region.inventory, *files], tmp_path / "exported.jsonl") == expected


@pytest.mark.parametrize("store", ["duckdb", "influxdb"])
def test_two_versions_of_a_rule_are_compared_on_the_history_of_a_store(
    region: Region, tmp_path: Path, store: str
) -> None:
    now, later = rules_in(tmp_path / "now", "20m"), rules_in(tmp_path / "later", "150m")
    compared = ["backtest", "--rules", later, "--against", now, "--json"]
    told = json.loads(command(*compared, *region.on_file)[0])
    moved = [pair for pair in told["moved"] if pair["after"]["rule"] == "lamp_out"]
    assert moved and all(pair["after"]["opened_at"] > pair["before"]["opened_at"] for pair in moved)
    of_the_store, _ = command(*compared, "--store", *region.of(store))
    assert json.loads(of_the_store) == told
    assert command(*compared, "--store", *region.of(store))[0] == of_the_store


@pytest.mark.parametrize("store", ["duckdb", "influxdb"])
def test_a_span_of_the_history_is_what_lies_in_it(region: Region, tmp_path: Path, store: str) -> None:
    begin, end = "2026-01-11T12:00:00Z", "2026-01-12T12:00:00Z"
    header, *lines = (region.folder / "readings.csv").read_text(encoding="utf-8").splitlines()
    inside = [line for line in lines if parse_instant_ms(begin) <= int(line.split(",")[1]) < parse_instant_ms(end)]
    assert 0 < len(inside) < len(lines)
    (tmp_path / "part.csv").write_text("\n".join([header, *inside]) + "\n", encoding="utf-8")
    expected = found([*region.inventory, "--readings", str(tmp_path / "part.csv")], tmp_path / "part.jsonl")
    span = ["--store", *region.of(store), "--from", begin, "--to", end]
    assert found(span, tmp_path / "found.jsonl") == expected
