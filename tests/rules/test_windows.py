from datetime import UTC, datetime
from pathlib import Path

import pytest

from rules.engine import Engine
from rules.fleet import make_fleet
from rules.restart import announced
from rules.topology import make_topology
from rules.windows import Window, WindowError, muted, read_windows
from tests.rules.town import MINUTE_MS, T0, Story, bay, lamp, lamp_series, rules, snapshot


def instant(minutes: int) -> str:
    return datetime.fromtimestamp(T0 / 1000 + minutes * 60, UTC).isoformat()


def written(path: Path, *rows: str) -> Path:
    path.write_text("scope,from,to,reason\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_file_of_windows_is_read_and_what_is_wrong_is_told_by_line(tmp_path: Path) -> None:
    path = written(tmp_path / "w.csv", f"circuit:C/1,{instant(0)},{instant(60)},Wartung")
    assert read_windows(path) == [Window("circuit:C/1", T0, T0 + 60 * MINUTE_MS, "Wartung")]
    with pytest.raises(WindowError, match="line 2: it ends before it begins"):
        read_windows(written(path, f"circuit:C/1,{instant(60)},{instant(0)},Wartung"))
    with pytest.raises(WindowError, match="line 2: 'morgen' is no instant"):
        read_windows(written(path, f"circuit:C/1,morgen,{instant(0)},Wartung"))
    path.write_text("scope,from\n", encoding="utf-8")
    with pytest.raises(WindowError, match="column to is missing"):
        read_windows(path)


def test_a_start_without_windows_or_with_a_broken_file_goes_on(tmp_path: Path) -> None:
    assert announced(tmp_path / "windows.csv") == []
    path = written(tmp_path / "windows.csv", "circuit:C/1,morgen,heute,?")
    assert announced(path) == []


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("NAU-L00001", ["NAU-L00001"]),
        ("circuit:C/1", ["NAU-L00001", "NAU-L00002"]),
        ("cabinet:C", ["NAU-L00001", "NAU-L00002"]),
        ("phase:C/1/L2", ["NAU-L00002"]),
        ("site:naunhof/markt", ["NAU-P00003"]),
        ("town:naunhof", ["NAU-L00001", "NAU-L00002", "NAU-P00003"]),
        ("platform", ["NAU-L00001", "NAU-L00002", "NAU-P00003"]),
        ("circuit:nobody/9", []),
    ],
)
def test_a_window_covers_what_its_scope_names(scope: str, expected: list[str]) -> None:
    lamps = [lamp(number, cabinet="C", circuit="1", phase=f"L{number}") for number in (1, 2)]
    fleet = make_fleet(snapshot([*lamps, bay(3)]))
    (one,) = muted([Window(scope, 0, 1)], fleet, make_topology(fleet))
    assert [fleet.devices[number].device_id for number in one.devices.nonzero()[0].tolist()] == expected


def test_what_happens_within_announced_work_is_not_judged() -> None:
    devices = [lamp(1), lamp(2)]
    window = Window("NAU-L00001", T0, T0 + 5 * 60 * MINUTE_MS)
    told = Story(Engine(snapshot(devices), rules(), T0, [window]))
    series = zip(lamp_series("NAU-L00001", [0.5] * 12), lamp_series("NAU-L00002", [0.5] * 12), strict=True)
    told.hear(*[one for pair in series for one in pair]).settle()
    assert [subject for _, subject, _ in told.opened()] == ["NAU-L00002"]
