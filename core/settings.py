"""All settings of the platform, and the one way to read them.

    defaults  ←  TOML file  ←  environment PARTHELAND_<TABLE>_<FIELD>  ←  command line

A later one wins. A secret may stand in a file of its own: `password_file = "…"` instead of `password`, in the TOML
file (relative to it) or in the environment. What is not known or not allowed stops the start with one sentence.
Files are read in `load` only; nothing here touches the network.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from core.settings_rows import Row, Table, expectation, fits, from_text, rows_of, shown
from core.settings_tables import (
    BrokerSettings,
    GatewaySettings,
    HttpSettings,
    IngestSettings,
    LegalSettings,
    PlatformSettings,
    StoreSettings,
    UplinkSettings,
)

ENVIRONMENT = "PARTHELAND_"
SECRET_BYTES_MAX = 4096
_FILE = "_file"


class SettingsError(ValueError):
    """The settings can't be used; names the file and the key, what was found and what was expected."""


@dataclass(frozen=True)
class Login:
    """Where a broker is and who we are there; empty username = no sign-in."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """One table for each part; as it stands, the defaults."""

    platform: PlatformSettings = field(default_factory=PlatformSettings)
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    uplink: UplinkSettings = field(default_factory=UplinkSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    legal: LegalSettings = field(default_factory=LegalSettings)

    def broker_login(self) -> Login:
        """Where the broker is that devices talk to."""
        broker = self.broker
        return Login(broker.host, broker.mqtt_port, broker.username, broker.password)

    def uplink_login(self) -> Login:
        """Where the broker is that carries frames to the centre: what [uplink] leaves out is as in [broker]."""
        own, broker = self.uplink, self.broker_login()
        username, password = (own.username, own.password) if own.username else (broker.username, broker.password)
        return Login(own.host or broker.host, own.port or broker.port, username, password)


TABLES: Mapping[str, type[Table]] = {
    "platform": PlatformSettings,
    "broker": BrokerSettings,
    "gateway": GatewaySettings,
    "uplink": UplinkSettings,
    "ingest": IngestSettings,
    "store": StoreSettings,
    "http": HttpSettings,
    "legal": LegalSettings,
}


class _Found(NamedTuple):
    """One value that was found: `where` names file and key for a person."""

    where: str
    table: str
    row: Row
    value: object


def load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Mapping[str, object]] | None = None,
) -> Settings:
    """The settings from a TOML file (None = none), the environment and the command line ({table: {key: value}}).

    Raises SettingsError.
    """
    found = [
        *(_from_tables(_read_toml(path), str(path), path.parent) if path is not None else ()),
        *_from_environment(environ),
        *_from_tables(overrides or {}, "command line", Path()),
    ]
    values: dict[str, dict[str, object]] = {name: {} for name in TABLES}
    for where, table, row, value in found:
        if not fits(row, value):
            raise SettingsError(f"{where} is {shown(row, value)}; expected {expectation(row)}")
        values[table][row.name] = tuple(value) if isinstance(value, list) else value
    tables: dict[str, Any] = {name: table(**values[name]) for name, table in TABLES.items()}
    settings = Settings(**tables)
    _check_together(settings)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}; expected a TOML file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8; expected a TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None


def _from_tables(tables: Mapping[str, Any], source: str, folder: Path) -> Iterator[_Found]:
    for name, keys in tables.items():
        if name not in TABLES:
            raise SettingsError(f"{source}: there is no table [{name}]; {_near(name, TABLES)}")
        if not isinstance(keys, Mapping):
            raise SettingsError(f"{source}: {name} is no table; expected a line [{name}] and its keys below it")
        for key, value in keys.items():
            where = f"{source}: [{name}] {key}"
            row, in_file = _row(where, name, key)
            if in_file and key.removesuffix(_FILE) in keys:
                raise SettingsError(f"{where} stands beside {key.removesuffix(_FILE)}; expected only one of them")
            yield _Found(where, name, row, _read_secret(where, folder, value) if in_file else value)


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Found]:
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT):
            continue
        name, _, key = variable.removeprefix(ENVIRONMENT).lower().partition("_")
        where = f"environment: {variable}"
        if name not in TABLES:
            # Other variables of ours begin so too (PARTHELAND_REQUIRE); only a slip of the pen is an error.
            if get_close_matches(name, TABLES, n=1, cutoff=0.8):
                raise SettingsError(f"{where}: there is no table '{name}'; {_near(name, TABLES)}")
            continue
        row, in_file = _row(where, name, key)
        if in_file and variable.removesuffix(_FILE.upper()) in environ:
            raise SettingsError(f"{where} stands beside the secret itself; expected only one of them")
        text = environ[variable]
        yield _Found(where, name, row, _read_secret(where, Path(), text) if in_file else from_text(row, text))


def _row(where: str, table: str, key: str) -> tuple[Row, bool]:
    """The row that a key names, and whether the key names the file that holds a secret."""
    rows = {row.name: row for row in rows_of(TABLES[table])}
    secrets = {f"{row.name}{_FILE}": row for row in rows.values() if row.rule.secret}
    if key in rows:
        return rows[key], False
    if key in secrets:
        return secrets[key], True
    raise SettingsError(f"{where}: there is no such key; {_near(key, [*rows, *secrets])}")


def _near(word: str, known: Mapping[str, object] | list[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"


def _read_secret(where: str, folder: Path, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where} is {value!r}; expected the path of a file")
    path = folder / value
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"{where}: {path} can't be read: {reason}; expected a file with the secret") from None
    if not 0 < len(secret) <= SECRET_BYTES_MAX or "\n" in secret:
        raise SettingsError(f"{where}: {path} holds no secret; expected one line of 1 to {SECRET_BYTES_MAX} characters")
    return secret


def _check_together(settings: Settings) -> None:
    """What no row can know by itself."""
    if settings.store.kind != "duckdb" and not settings.store.influx_token:
        raise SettingsError(
            f"[store] kind is {settings.store.kind}; expected influx_token or influx_token_file with it"
        )
    if settings.uplink.frame_bytes_max >= settings.broker.max_payload_bytes:
        found, limit = settings.uplink.frame_bytes_max, settings.broker.max_payload_bytes
        raise SettingsError(
            f"[uplink] frame_bytes_max is {found}; expected less than [broker] max_payload_bytes = {limit}"
        )


def describe() -> str:
    """The complete sample file: each setting with its sentence, what it may be, and its default, commented out."""
    lines = [
        "## All settings of the Partheland platform, each with its default. Take out the # before a line to change it.",
        "## The environment wins over this file: PARTHELAND_HTTP_PORT=8081 stands for port = 8081 under [http].",
        '## A secret may stand in a file of its own: password_file = "broker.password", relative to this file.',
    ]
    for name, table in TABLES.items():
        lines += ["", f"## {table.__doc__}", f"[{name}]"]
        for row in rows_of(table):
            lines += [f"## {row.rule.help} Expected: {expectation(row)}.", f"# {row.name} = {_toml(row.default)}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
