"""What the centre is made of, from the settings: the same for the running centre and for commands on its files."""

from __future__ import annotations

from pathlib import Path

from core.clock import Clock
from core.relational import Relational
from core.settings import Settings
from deploy.output import BadInput
from ingest.duck import DuckStore
from ingest.influx import InfluxStore
from ingest.store import Store

DATABASE_NAME = "platform.db"
INFLUX_POSITION_NAME = "influxdb-position.json"
S_PER_DAY = 86_400


def make_database(data: Path) -> Relational:
    """The relational database of a data folder, not yet open."""
    return Relational(data / DATABASE_NAME)


def make_stores_of_stopped(settings: Settings, data: Path, clock: Clock) -> list[Store]:
    """As `make_stores`, for the files of a stopped platform. Raises BadInput when its store was another one."""
    duckdb = data / settings.store.duckdb_file
    if settings.store.kind == "duckdb" and (data / INFLUX_POSITION_NAME).exists() and not duckdb.exists():
        raise BadInput(
            f"the readings of {data} are in InfluxDB ({INFLUX_POSITION_NAME} is there, {duckdb.name} is not); "
            "name the platform's settings with --config"
        )
    return make_stores(settings, data, clock)


def make_stores(settings: Settings, data: Path, clock: Clock) -> list[Store]:
    """The stores the settings ask for, none open; questions go to the first one."""
    own = settings.store
    stores: list[Store] = []
    if own.kind in ("duckdb", "both"):
        stores.append(DuckStore(data / own.duckdb_file, own.duckdb_memory_mib))
    if own.kind in ("influxdb", "both"):
        stores.append(
            InfluxStore(
                own.influx_url,
                own.influx_token,
                own.influx_org,
                data / INFLUX_POSITION_NAME,
                clock,
                own.influx_bucket,
                own.retention_days * S_PER_DAY,
            )
        )
    return stores
