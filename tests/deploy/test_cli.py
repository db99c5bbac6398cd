"""The `partheland` command as a person meets it: help with examples, exit codes, one sentence for what is wrong."""

import http.server
import json
import logging
import os
import re
import threading
from pathlib import Path

import pytest

from core.device_types import DEVICE_TYPES
from core.settings import describe
from deploy import cli
from deploy.contact import Centre, find_centre, write_contact
from deploy.output import BadInput
from tests.deploy.running import partheland

GOOD = "device_id,kind,town,nominal_w\nBOR-0001,lamp,borsdorf,40\n"
MIXED = (
    "device_id,kind,town,nominal_w\nBOR-0001,lamp,borsdorf,40\nBOR-0002,lamb,borsdorf,40\nBOR-0003,lamp,borsdorf,many\n"
)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, in this process."""
    code = cli.main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert "example" in out
    assert f"partheland {name}" in out.partition("example")[2]


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys)[0] == 1
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(f"  {name} " in out for name in cli.COMMANDS)


def test_a_slip_of_the_pen_is_answered_with_the_nearest_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "inventroy") == (1, "", "partheland: there is no command 'inventroy'; did you mean inventory?\n")


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--version")
    assert (code, out.split()[0]) == (0, "partheland")


def test_the_sample_of_the_settings_is_the_complete_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "settings") == (0, describe(), "")


def test_a_payload_is_decoded_as_the_gateway_does(capsys: pytest.CaptureFixture[str]) -> None:
    golden = json.loads(Path("tests/payloads/partheland_lorawan.json").read_text(encoding="utf-8"))
    for vector in golden:
        if "values" not in vector:
            continue
        asked = ("--device-type", vector["device_type"], "--fport", vector["f_port"], "--hex", vector["hex"])
        code, out, _ = run(capsys, "codec", "decode", *asked)
        answer = json.loads(out)
        assert (code, answer["kind"], answer["values"]) == (0, vector["kind"], vector["values"])
        assert (answer["raw"], answer["errors"]) == (vector["hex"].lower(), [])


def test_a_value_no_device_can_measure_is_decoded_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    ones = "010764ffffffffffff7fffffffffffff"
    code, out, _ = run(capsys, "codec", "decode", "--device-type", "partheland-lamp-1", "--fport", 10, "--hex", ones)
    answer = json.loads(out)
    assert (code, answer["values"]["power_w"]) == (0, 6553.5)
    assert "power_w is 6553.5 W; plausible is -50 … 5000" in answer["warnings"]


def test_a_payload_that_can_not_be_decoded_says_why_and_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "codec", "decode", "--device-type", "partheland-lamp-1", "--fport", 10, "--hex", "01")
    answer = json.loads(out)
    assert (code, answer["values"], len(answer["errors"]), answer["raw"]) == (1, {}, 1, "01")
    code, out, _ = run(capsys, "codec", "decode", "--device-type", "partheland-lamp-1", "--fport", 99, "--hex", "01")
    assert (code, "fPort 99" in json.loads(out)["errors"][0]) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--device-type", "none", "--fport", 1, "--hex", "01"), "expected one of partheland-lamp-1"),
        (("--device-type", "partheland-lamp-1", "--fport", 0, "--hex", "01"), "expected 1 … 255"),
        (("--device-type", "partheland-lamp-1", "--fport", 10, "--hex", "0x1"), "expected pairs of hex digits"),
        (("--js", "codec.js", "--fport", 1, "--hex", "01"), "later version"),
        (("--fport", "ten", "--hex", "01"), "invalid int value"),
    ],
)
def test_bad_input_of_the_codec_is_one_sentence(
    arguments: tuple[object, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "codec", "decode", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert sentence in err


def test_every_decoder_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    out = "".join(run(capsys, "codec", "--help")[1].split())
    assert all(name in out for name, row in DEVICE_TYPES.items() if row.decoder)


def test_an_inventory_comes_in_and_goes_out_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lamps.csv").write_text(GOOD)
    code, out, err = run(capsys, "inventory", "import", tmp_path / "lamps.csv", "--data", tmp_path)
    assert (code, out, err) == (0, "imported: 1 new, 0 changed, 0 as before; 0 problems; version 1\n", "")
    code, out, _ = run(capsys, "inventory", "export", "--data", tmp_path)
    (tmp_path / "again.csv").write_text(out)
    code, out, _ = run(capsys, "inventory", "import", tmp_path / "again.csv", "--data", tmp_path, "--json")
    assert code == 0
    assert json.loads(out) == {
        "imported": True, "new": 0, "changed": 0, "unchanged": 1, "version": 1, "problems": [],
    }  # fmt: skip


def test_wrong_rows_are_named_by_line_and_column_and_nothing_comes_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lamps.csv"
    file.write_text(MIXED)
    code, out, err = run(capsys, "inventory", "import", file, "--data", tmp_path)
    assert (code, out) == (1, "")
    assert f"{file}: line 3, column kind: " in err
    assert f"{file}: line 4, column nominal_w: " in err
    assert "nothing was imported, 2 problems" in err
    assert "BOR-0001" not in run(capsys, "inventory", "export", "--data", tmp_path)[1]


def test_the_right_rows_come_in_when_the_person_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lamps.csv"
    file.write_text(MIXED)
    code, out, err = run(capsys, "inventory", "import", file, "--accept-valid", "--data", tmp_path)
    assert (code, "1 new" in out, "line 3" in err) == (0, True, True)
    exported = run(capsys, "inventory", "export", "--data", tmp_path)[1]
    assert ("BOR-0001" in exported, "BOR-0003" in exported) == (True, False)


def test_bad_input_is_one_sentence_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "latin.csv").write_bytes(b"device_id,street\nA,Stra\xdfe\n")
    (tmp_path / "wrong.toml").write_text("[brocker]\nhost = 1\n")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("inventory", "import", tmp_path / "none.csv", "--data", tmp_path), "No such file"),
        (("inventory", "import", tmp_path / "latin.csv", "--data", tmp_path), "line 2 is not UTF-8"),
        (("inventory", "import", "--data", tmp_path), "import needs a FILE.csv"),
        (("inventory", "export", "--data", tmp_path / "none"), "there is no data folder"),
        (("verify", "--data", tmp_path), "there is no journal"),
        (("verify", "--config", tmp_path / "wrong.toml"), "did you mean broker?"),
        (("export", "readings", "--kind", "lamp", "--out", "x.xlsx", "--data", tmp_path), "ends with .csv"),
        (("export", "readings", "--kind", "lamb", "--out", "x.csv"), "invalid choice: 'lamb'"),
        (("export", "readings", "--kind", "lamp", "--from", "now", "--out", "x.csv"), "no instant"),
        (("export", "readings", "--kind", "lamp", "--from", "2", "--to", "1", "--out", "x.csv"), "2 is after --to 1"),
        (("export", "readings", "--kind", "lamp", "--device", "a b", "--out", "x.csv"), "expected an id"),
        (("export", "readings", "--kind", "lamp", "--out", tmp_path / "no" / "x.csv", "--data", tmp_path), "No such"),
        (("replay", "--data", tmp_path), "required: FILE, --as"),
        (("gateway", "--speed", "3", "--data", tmp_path), "give --dev with them"),
        (("centre", "--dev", "--start", "once", "--data", tmp_path), "--start: 'once' is no instant"),
        (("sim",), "required"),
    ]
    for arguments, sentence in cases:
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (1, ""), (arguments, err)
        assert sentence in err
        assert "Traceback" not in err


@pytest.mark.parametrize("more", [("verify",), ("export", "readings", "--kind", "lamp", "--out", "x.csv")])
def test_a_folder_whose_store_was_influxdb_asks_for_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "influxdb-position.json").write_text("{}")
    code, out, err = run(capsys, *more, "--data", tmp_path)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "are in InfluxDB" in err
    assert "name the platform's settings with --config" in err
    assert [path.name for path in tmp_path.iterdir()] == ["influxdb-position.json"]
    (tmp_path / "influx.toml").write_text(
        '[store]\nkind = "influxdb"\ninflux_token = "t"\ninflux_url = "http://127.0.0.1:9"\n'
    )
    _, _, err = run(capsys, *more, "--data", tmp_path, "--config", tmp_path / "influx.toml")
    assert "--config" not in err


def test_an_inventory_that_is_made_before_the_first_start_is_for_its_user_only(tmp_path: Path) -> None:
    (tmp_path / "lamps.csv").write_text(GOOD)
    done = partheland("inventory", "import", tmp_path / "lamps.csv", "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "platform.db").stat().st_mode & 0o077 == 0


def test_a_fault_of_ours_is_a_sentence_with_the_place_of_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setitem(cli.COMMANDS, "settings", ("no.such.module", ""))
    code, _, err = run(capsys, "settings")
    assert (code, err.count("\n")) == (2, 1)
    log = Path(err.split("the log is ")[1].strip())
    assert "Traceback" in log.read_text()


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    done = partheland("settings")
    assert done.returncode == 0
    assert not done.stderr


def test_the_file_of_a_centre_that_is_dead_or_another_program_is_not_believed(tmp_path: Path) -> None:
    write_contact(tmp_path, Centre("http://127.0.0.1:9", 2**22 - 1, "token"))
    assert find_centre(tmp_path) is None
    write_contact(tmp_path, Centre("http://127.0.0.1:9", os.getpid(), "token"))
    assert find_centre(tmp_path) is None
    (tmp_path / "centre.json").write_text("{")
    assert find_centre(tmp_path) is None


EXPORT = ("export", "readings", "--kind", "lamp")


def test_the_readme_tells_every_code_of_the_quarantine() -> None:
    called = re.compile(
        r'(?:Refused|Refusal)\(\s*"([a-z0-9_]+)"|(?:Doubt|\brefusal)\([^"()]*(?:"message", |"value", )?"([a-z0-9_]+)"'
    )
    assigned = re.compile(r'\bcode(?:, reason)? = "([a-z0-9_]+)"(?:.* else "([a-z0-9_]+)")?')
    sources = [path.read_text(encoding="utf-8") for part in ("gateway", "ingest") for path in Path(part).rglob("*.py")]
    codes = {
        code for text in sources for pattern in (called, assigned) for found in pattern.findall(text) for code in found
    }
    told = Path("deploy/README.md").read_text(encoding="utf-8").partition("| code |")[2].partition("`scope`")[0]
    assert {"unknown_device", "wrong_kind", "bad_json", "bad_base64", "not_expressible"} <= codes
    assert sorted(codes - {"", *re.findall(r"`([a-z0-9_]+)`", told)}) == []


def test_a_full_disk_of_ours_is_not_blamed_on_the_centre_and_its_problems_are_told_in_their_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    centre = Centre(f"http://127.0.0.1:{server.server_port}", os.getpid(), "token")
    try:
        with centre.ask("/api/v1/export") as answer:
            assert answer.read() == b"Bearer token"
        with pytest.raises(OSError, match="No space"), centre.ask("/api/v1/export"):
            raise OSError(28, "No space left on device")
        write_contact(tmp_path, centre)
        code, _, err = run(capsys, *EXPORT, "--data", tmp_path, "--out", tmp_path / "x.csv", "--device", "BOR-0001")
        assert (code, err) == (1, "partheland: the centre answers 400: kind=lamp&device_id=BOR-0001 is refused\n")
        with pytest.raises(BadInput, match="answers 404 to /none: nothing here"), centre.ask("/none"):
            pass
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(BadInput, match="does not answer"), centre.ask("/api/v1/export"):
        pass


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers with the token it got; a problem for a question with arguments and for everything else."""

    def do_GET(self) -> None:
        path, _, asked = self.path.partition("?")
        known = {"/api/v1/export": 400 if asked else 200, "/healthz": 200}
        self.send_response(known.get(path, 404))
        self.end_headers()
        refused = json.dumps({"title": "Bad Request", "detail": f"{asked} is refused" if asked else "nothing here"})
        self.wfile.write((self.headers["Authorization"] if path in known and not asked else refused).encode())

    def log_message(self, *_: object) -> None:
        return
