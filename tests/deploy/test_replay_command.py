"""The replay as a person runs it: what it says, what it asks of the platform, and how it ends."""

import gzip
from pathlib import Path

import pytest

from core.inventory_csv import parse_inventory
from deploy.output import BadInput
from deploy.replay import AS, parser, run

PAYLOADS = Path(__file__).parents[1] / "payloads"
CHIRPSTACK3, HELIUM = PAYLOADS / "campusiot_chirpstack3.ndjson", PAYLOADS / "campusiot_helium.ndjson"


def test_kinds_of_readings_are_those_of_the_platform_when_none_are_given(tmp_path: Path) -> None:
    file, other, published = tmp_path / "readings.csv", tmp_path / "other.csv", list[str]()
    file.write_text("device_id,t,power_w\nNAU-L1,1768068000000,35.2\n")
    other.write_text("device_id,kind,town\nNAU-L1,cabinet,naunhof\n")

    def sent(*more: str) -> list[str]:
        published.clear()
        arguments = parser().parse_args([str(file), "--as", "readings", *more])
        code = run(arguments, lambda topic, payload: published.append(topic), None, lambda: platform)
        return published if code == 0 else []

    platform = "device_id,kind,town\nNAU-L1,lamp,naunhof\n"
    assert sent() == ["partheland/naunhof/lamp/NAU-L1/up"]
    assert sent("--kind", "sos") == ["partheland/naunhof/sos/NAU-L1/up"]
    assert sent("--inventory", str(other)) == ["partheland/naunhof/cabinet/NAU-L1/up"]
    platform = ""
    assert sent() == []


def test_the_command_commissions_publishes_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    published, commissioned = list[str](), list[str]()
    arguments = [str(HELIUM), "--as", "helium", "--town", "machern", "--limit", "10", "--commission"]
    asked = parser().parse_args(arguments)
    assert run(asked, lambda topic, payload: published.append(topic), commissioned.append) == 0
    assert published == ["application/replay/device/a81758fffe04b1c1/event/up"] * 10
    (device,) = parse_inventory(commissioned[0]).devices
    assert (device.dev_eui, device.town, device.device_type) == ("A81758FFFE04B1C1", "machern", "object")
    assert "Messages sent: 10 up." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (b"a,b\n1,2\n", ["--as", "occupancy"], "column site is missing"),
        (b"", ["--as", "readings"], "device_id and t are needed"),
        (b"site,t,occupied,capacity\n", ["--as", "occupancy", "--timezone", "Naunhof"], "is no time zone"),
        (gzip.compress(b"{}" * 9000)[:40], ["--as", "helium"], "ended before"),
        (None, ["--as", "helium"], "No such file"),
        (b"{}\n", ["--as", "helium"], "Not sent: no device EUI: 1 (line 1)."),
    ],
)
def test_a_file_that_is_no_such_file_is_one_sentence_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, arguments: list[str], sentence: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    assert run(parser().parse_args([str(file), *arguments]), lambda topic, payload: None) == 1
    assert sentence in capsys.readouterr().err


def test_lines_that_can_not_be_used_are_named_after_the_rest_was_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, published = tmp_path / "readings.csv", list[bytes]()
    bad = "".join(f"NAU-L1,yesterday,{number},,\n" for number in range(7))
    file.write_text(f"device_id,t,power_w,boot,seq\n{bad}\nNAU-L1,1768068000000,2,x,y\nNAU-L1,1768068000000,35.2,,\n")
    asked = parser().parse_args([str(file), "--as", "readings", "--kind", "lamp"])
    assert run(asked, lambda topic, payload: published.append(payload)) == 1
    said = capsys.readouterr().err
    assert len(published) == 1
    assert "Not sent: t is no time: 7 (lines 2, 3, 4, 5, 6, …)." in said
    assert "Not sent: boot or seq is no whole number: 1 (line 10)." in said


def test_a_capture_with_oddities_joins_and_empty_lines_was_sent_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, published = tmp_path / "capture.ndjson", list[str]()
    file.write_text(CHIRPSTACK3.read_text(encoding="utf-8") + "\n\n", encoding="utf-8")
    asked = parser().parse_args([str(file), "--as", "chirpstack3"])
    assert run(asked, lambda topic, payload: published.append(topic)) == 0
    said = capsys.readouterr().err
    assert ("Odd, and sent as it is: copies" in said, "Not sent" in said) == (True, False)
    assert sum(topic.endswith("/status") for topic in published) > 0
    file.write_text('{"devEUI": "0101010101010101"}\n' + CHIRPSTACK3.read_text(encoding="utf-8"), encoding="utf-8")
    assert run(asked, lambda topic, payload: None) == 1
    assert "Not sent: neither uplink nor status nor join (no type): 1 (line 1)." in capsys.readouterr().err


def test_the_help_is_one_usage_with_an_example_for_each_form() -> None:
    shown = parser().format_help()
    usage = shown.partition("\n\n")[0]
    assert shown.count("usage:") == 1
    assert all(what in usage for what in ("FILE", "--as", "--data", "--config"))
    assert all(f" --as {form}" in shown.partition("examples:")[2] for form in AS)
    with pytest.raises(BadInput, match="required: FILE, --as"):
        parser().parse_args([])
