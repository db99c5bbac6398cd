"""The settings: where they come from, what is refused, and that the sample file is what the code says."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from core.settings import TABLES, Login, Settings, SettingsError, describe, load
from core.settings_rows import Row, fits, rows_of

SAMPLE = Path(__file__).parents[2] / "deploy" / "partheland.sample.toml"
EVERY_ROW = [(name, row) for name, table in TABLES.items() for row in rows_of(table)]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "partheland.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_and_environment_everything_has_its_default() -> None:
    settings = load(None, {})
    assert settings == Settings()
    assert (settings.broker.mqtt_port, settings.gateway.id, settings.store.kind) == (1883, "gw1", "duckdb")
    assert settings.gateway.sources == ("native", "chirpstack4", "things_stack3")


def test_every_table_of_the_settings_is_read_and_described() -> None:
    assert set(TABLES) == {field.name for field in fields(Settings)}


@pytest.mark.parametrize("row", [row for _, row in EVERY_ROW], ids=[f"{table}.{row.name}" for table, row in EVERY_ROW])
def test_every_setting_has_a_sentence_and_a_default_that_fits(row: Row) -> None:
    assert row.rule.help.endswith(".")
    assert fits(row, row.default)
    assert row.default == "" or not row.rule.secret


def test_the_sample_file_is_what_the_code_describes() -> None:
    assert SAMPLE.read_text(encoding="utf-8") == describe(), "write describe() into deploy/partheland.sample.toml again"


def test_the_sample_file_loads_to_the_defaults_as_it_is_and_with_every_line_taken_in(tmp_path: Path) -> None:
    assert load(SAMPLE, {}) == Settings()
    taken_in = re.sub(r"^# ", "", describe(), flags=re.MULTILINE)
    assert sum(len(keys) for keys in tomllib.loads(taken_in).values()) == len(EVERY_ROW)
    assert load(written(tmp_path, taken_in), {}) == Settings()


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    path = written(tmp_path, "[http]\nport = 1\nbind = '0.0.0.0'\n[gateway]\nid = 'gw-file'\n")
    settings = load(path, {"PARTHELAND_HTTP_PORT": "2", "PARTHELAND_GATEWAY_ID": "gw-env"}, {"http": {"port": 3}})
    assert (settings.http.port, settings.http.bind, settings.gateway.id) == (3, "0.0.0.0", "gw-env")


def test_every_type_can_come_from_the_environment() -> None:
    settings = load(
        None,
        {
            "PARTHELAND_BROKER_EMBEDDED": "No",
            "PARTHELAND_BROKER_ACK_WAIT_S": "2.5",
            "PARTHELAND_GATEWAY_SOURCES": "native, chirpstack4",
            "PARTHELAND_PLATFORM_GATEWAYS": "gw1,gw-brandis",
            "PARTHELAND_STORE_RETENTION_DAYS": " 365 ",
            "PARTHELAND_BROKER_PASSWORD": " with blanks ",
        },
    )
    assert (settings.broker.embedded, settings.broker.ack_wait_s) == (False, 2.5)
    assert settings.gateway.sources == ("native", "chirpstack4")
    assert settings.platform.gateways == ("gw1", "gw-brandis")
    assert settings.store.retention_days == 365
    assert settings.broker.password == " with blanks "


def test_variables_of_others_are_left_alone() -> None:
    others = {
        "PARTHELAND_REQUIRE": "influxd",
        "PARTHELAND_CRASH_AT": "x",
        "PARTHELAND_SOAK": "3",
        "HOME": "/",
        "PORT": "x",
    }
    assert load(None, others) == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[brocker]\nhost = 'x'", "partheland.toml: there is no table [brocker]; did you mean broker?"),
        ("[zzz]", "there is no table [zzz]; expected one of platform, broker, gateway"),
        ("[http]\nprot = 1", "partheland.toml: [http] prot: there is no such key; did you mean port?"),
        ("[http]\nport_file = 'x'", "[http] port_file: there is no such key; did you mean"),
        ("http = 1", "http is no table; expected a line [http]"),
        ("[http]\nport = '8080'", "partheland.toml: [http] port is '8080'; expected a whole number 0 … 65535"),
        ("[http]\nport = true", "[http] port is True; expected a whole number 0 … 65535"),
        ("[http]\nport = 70000", "[http] port is 70000; expected a whole number 0 … 65535"),
        ("[http]\nport = 80.0", "[http] port is 80.0; expected a whole number"),
        ("[broker]\nembedded = 1", "[broker] embedded is 1; expected true or false"),
        ("[broker]\nack_wait_s = nan", "[broker] ack_wait_s is nan; expected a number 0.1 … 3600"),
        ("[broker]\nsync_interval = '0s'", "is '0s'; expected always, or a duration such as"),
        ("[broker]\nhost = ''", "[broker] host is ''; expected a text, not empty"),
        ("[gateway]\nid = 'a/b'", "[gateway] id is 'a/b'; expected 1 to 64 of the characters"),
        ("[gateway]\nsources = ['helium']", "expected a list, each one of native, chirpstack4, things_stack3"),
        ("[gateway]\nsources = 'native'", "[gateway] sources is 'native'; expected a list"),
        ("[store]\nkind = 'mysql'", "[store] kind is 'mysql'; expected one of duckdb, influxdb, both"),
        ("[store]\nkind = 'both'", "[store] kind is both; expected influx_token or influx_token_file with it"),
        ("[uplink]\nframe_bytes_max = 2000000", "expected less than [broker] max_payload_bytes = 1048576"),
        ("[http\n", "partheland.toml is no TOML: "),
    ],
)
def test_what_is_wrong_is_told_with_file_key_found_and_expected(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text), {})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PARTHELAND_HTTP_PROT", "1", "environment: PARTHELAND_HTTP_PROT: there is no such key; did you mean port?"),
        ("PARTHELAND_BROKR_HOST", "x", "there is no table 'brokr'; did you mean broker?"),
        ("PARTHELAND_HTTP_PORT", "", "environment: PARTHELAND_HTTP_PORT is ''; expected a whole number 0 … 65535"),
        ("PARTHELAND_BROKER_EMBEDDED", "maybe", "PARTHELAND_BROKER_EMBEDDED is 'maybe'; expected true or false"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {variable: value})
    assert expected in str(caught.value)


def test_a_wrong_override_of_the_command_line_is_told_as_such() -> None:
    with pytest.raises(SettingsError, match=r"command line: \[http\] port is 70000; expected"):
        load(None, {}, {"http": {"port": 70_000}})


def test_a_secret_may_stand_in_a_file_beside_the_settings_or_in_one_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "broker.password").write_text("geheim\n", encoding="utf-8")
    (tmp_path / "token").write_text("t0ken", encoding="utf-8")
    path = written(tmp_path, "[broker]\npassword_file = 'broker.password'\n")
    settings = load(path, {"PARTHELAND_HTTP_TOKEN_FILE": str(tmp_path / "token")})
    assert (settings.broker.password, settings.http.token) == ("geheim", "t0ken")
    assert load(path, {"PARTHELAND_BROKER_PASSWORD": "other"}).broker.password == "other"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "password_file = 'nowhere'",
            "nowhere can't be read: No such file or directory; expected a file with the secret",
        ),
        ("password_file = 'empty'", "empty holds no secret; expected one line of 1 to"),
        ("password_file = ''", "password_file is ''; expected the path of a file"),
        ("password = 'x'\npassword_file = 'empty'", "password_file stands beside password; expected only one of them"),
    ],
)
def test_a_file_without_a_secret_is_refused(tmp_path: Path, keys: str, expected: str) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, f"[broker]\n{keys}\n"), {})
    assert expected in str(caught.value)


def test_a_secret_beside_its_file_is_refused_in_the_environment_too() -> None:
    with pytest.raises(SettingsError, match="PARTHELAND_HTTP_TOKEN_FILE stands beside the secret itself"):
        load(None, {"PARTHELAND_HTTP_TOKEN": "x", "PARTHELAND_HTTP_TOKEN_FILE": "y"})


def test_no_repr_and_no_error_shows_a_secret(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "[broker]\npassword = 'geheim'\n[http]\ntoken = 'geheim'\n"), {})
    assert "geheim" not in f"{settings!r} {settings.broker_login()!r}"
    assert "password=***" in repr(settings.broker)
    assert "password=''" in repr(settings.uplink)
    with pytest.raises(SettingsError, match=r"password is \(hidden\); expected a text"):
        load(written(tmp_path, "[broker]\npassword = 4711\n"), {})


def test_a_file_that_is_not_there_or_not_utf_8_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml can't be read: No such file or directory"):
        load(tmp_path / "nowhere.toml", {})
    (tmp_path / "latin.toml").write_bytes("[http]\nbind = 'ä'".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"latin\.toml is not UTF-8"):
        load(tmp_path / "latin.toml", {})


def test_the_uplink_uses_the_brokers_place_and_sign_in_unless_it_has_its_own(tmp_path: Path) -> None:
    broker = "[broker]\nhost = 'b'\nmqtt_port = 1884\nusername = 'gw'\npassword = 'p'\n"
    assert load(written(tmp_path, broker), {}).uplink_login() == Login("b", 1884, "gw", "p")
    own = load(written(tmp_path, broker + "[uplink]\nhost = 'centre'\nusername = 'u'\npassword = 'q'\n"), {})
    assert own.uplink_login() == Login("centre", 1884, "u", "q")
    assert own.broker_login() == Login("b", 1884, "gw", "p")
