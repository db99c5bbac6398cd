"""The settings of a simulated region: frozen tables, read from TOML; `sample.toml` shows each with its default."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """How many of each there are."""

    lamps: int = 3000
    lamps_per_circuit: int = 15
    circuits_per_cabinet: int = 4
    bays: int = 300
    sites: int = 12
    counters: int = 4
    buttons: int = 40
    gateways: int = 9


@dataclass(frozen=True)
class Shares:
    """Which part of a fleet is made in which way, 0..1."""

    lorawan: float = 0.25
    lorawan_buttons: float = 0.1
    switched_dusk: float = 0.06
    switched_halfnight: float = 0.04
    no_clock: float = 0.005
    bad_clock: float = 0.002


@dataclass(frozen=True)
class Radio:
    """What happens between device and broker; shares of messages 0..1, times in ms."""

    loss: float = 0.01
    lorawan_loss: float = 0.08
    burst_messages: float = 4.0
    duplicate: float = 0.01
    reorder: float = 0.002
    delay_ms: float = 250.0
    lorawan_delay_ms: float = 500.0
    dropout: float = 0.0003


@dataclass(frozen=True)
class Life:
    """What people do."""

    presses_per_button_day: float = 0.06


@dataclass(frozen=True)
class FaultCounts:
    """How many faults of each sort the seed spreads over the run when no fault file is given."""

    lamp_out: int = 6
    day_burner: int = 2
    circuit_down: int = 1
    silent: int = 4
    bay_stuck: int = 2
    gateway_down: int = 1
    reboot: int = 8


@dataclass(frozen=True)
class Settings:
    """All of it."""

    sizes: Sizes = field(default_factory=Sizes)
    shares: Shares = field(default_factory=Shares)
    radio: Radio = field(default_factory=Radio)
    life: Life = field(default_factory=Life)
    faults: FaultCounts = field(default_factory=FaultCounts)


class SettingsError(ValueError):
    """A settings file or option is wrong; the text says where, what, and what was expected."""


def read_settings(path: Path) -> Settings:
    """The settings of a TOML file; what it does not name keeps its default, what we do not know is an error."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name an existing region file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML ({error}); firmware_sim/sample.toml shows the form") from error
    settings = Settings()
    for table, rows in document.items():
        if table not in {known.name for known in fields(Settings)} or not isinstance(rows, dict):
            raise SettingsError(f"{path}: unknown table {table!r}; expected one of {_names(settings)}")
        settings = replace(settings, **{table: with_values(getattr(settings, table), rows, str(path))})
    return settings


def with_values(table: Any, rows: dict[str, Any], source: str) -> Any:
    """A copy of one table with these values, checked by name, type and range; `source` is named in errors."""
    kinds = {known.name: type(getattr(table, known.name)) for known in fields(table)}
    for name, value in rows.items():
        if name not in kinds:
            raise SettingsError(f"{source}: unknown setting {name!r}; expected one of {_names(table)}")
        if isinstance(value, bool) or not isinstance(value, (int, kinds[name])) or value < 0:
            wanted = kinds[name].__name__
            raise SettingsError(f"{source}: {name} must be a number of type {wanted}, 0 or more; got {value!r}")
        if kinds[name] is float and value > 1 and not name.endswith(("_ms", "_messages", "_day")):
            raise SettingsError(f"{source}: {name} is a share and must be 0..1; got {value!r}")
        if name in ("lamps_per_circuit", "circuits_per_cabinet", "gateways", "burst_messages", "sites") and value < 1:
            raise SettingsError(f"{source}: {name} must be 1 or more; got {value!r}")
    return replace(table, **{name: kinds[name](value) for name, value in rows.items()})


def _names(table: Any) -> str:
    return ", ".join(known.name for known in fields(table))
