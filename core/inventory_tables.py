"""The inventory's tables, and what one SQL statement does to them.

`device_version` and `site_version` hold every state a device or site ever had: valid from an instant (included) to
another (excluded), `valid_to_ms` empty for what holds now. `change` has one row for each change of the inventory; its
number is the inventory's version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from types import NoneType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from core.device import Device, Site
from core.relational import metadata

KEYS_PER_QUERY = 500  # SQLite takes 32,766 parameters, older builds 999

change_table = Table(
    "change",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
)

Record = TypeVar("Record", bound=Device | Site)
Key = tuple[str, ...]
_SQL_TYPES = {str: Text, float: Double, int: Integer}


def _record_columns(record: type[Any], key: Sequence[str]) -> list[Column[Any]]:
    hints = get_type_hints(record)
    columns = []
    for field in fields(record):
        kinds = get_args(hints[field.name]) or (hints[field.name],)
        sql_type = _SQL_TYPES[kinds[0]]
        columns.append(Column(field.name, sql_type(), primary_key=field.name in key, nullable=NoneType in kinds))
    return columns


def _version_table(name: str, record: type[Any], key: Sequence[str]) -> Table:
    table = Table(
        name,
        metadata,
        *_record_columns(record, key),
        Column("version", Integer, ForeignKey("change.version"), primary_key=True),
        Column("valid_from_ms", BigInteger, nullable=False),
        Column("valid_to_ms", BigInteger),
    )
    _unique_now(f"{name}_now", table, key, table.c.valid_to_ms.is_(None))
    return table


def _unique_now(name: str, table: Table, names: Iterable[str], where: ColumnElement[bool]) -> None:
    columns = [table.c[column] for column in names]
    Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


@dataclass(frozen=True)
class Version(Generic[Record]):
    """One state of a device or site: what it was, from when to when (Unix ms; None = still), and who said so."""

    record: Record
    valid_from_ms: int
    valid_to_ms: int | None
    version: int
    by: str


class Versions(Generic[Record]):
    """The versions of one sort of record. All calls run inside the caller's transaction."""

    def __init__(self, name: str, record: type[Record], key: Sequence[str]) -> None:
        self.record = record
        self.key = tuple(key)
        self.table = _version_table(name, record, key)
        self._names = tuple(field.name for field in fields(record))
        self._columns = [self.table.c[name] for name in self._names]

    def key_of(self, record: Record) -> Key:
        """What names a record: (device_id,) or (town, site)."""
        return tuple(getattr(record, name) for name in self.key)

    def load(self, connection: Connection, at_ms: int | None = None) -> dict[Key, Record]:
        """All records as of an instant; None = as of the last change."""
        return self._records(connection, select(*self._columns).where(self.valid(at_ms)).order_by(*self._key_columns()))

    def find(self, connection: Connection, keys: Iterable[Key], at_ms: int | None = None) -> dict[Key, Record]:
        """These records as of an instant, without those that were not there."""
        found: dict[Key, Record] = {}
        wanted = set(keys)
        last = self.table.c[self.key[-1]]
        for chunk in chunks({key[-1] for key in wanted}):
            query = select(*self._columns).where(self.valid(at_ms), last.in_(chunk))
            found |= self._records(connection, query)
        return {key: record for key, record in found.items() if key in wanted}

    def history(self, connection: Connection, key: Key) -> list[Version[Record]]:
        """Every version of one record, oldest first."""
        own = self.table.c
        query = (
            select(*self._columns, own.valid_from_ms, own.valid_to_ms, own.version, change_table.c.by)
            .join(change_table, change_table.c.version == own.version)
            .where(*(own[name] == value for name, value in zip(self.key, key, strict=True)))
            .order_by(own.version)
        )
        count = len(self._columns)
        return [Version(self._record(row[:count]), *row[count:]) for row in connection.execute(query)]

    def add(self, connection: Connection, records: Sequence[Record], version: int, at_ms: int) -> None:
        """Let these states hold from `at_ms` on; what held until then ends there."""
        if not records:
            return
        keys = [{f"key_{name}": getattr(record, name) for name in self.key} for record in records]
        own = [self.table.c[name] == bindparam(f"key_{name}") for name in self.key]
        connection.execute(update(self.table).where(*own, self.valid(None)).values(valid_to_ms=at_ms), keys)
        rows = [{**asdict(record), "version": version, "valid_from_ms": at_ms} for record in records]
        connection.execute(insert(self.table), rows)

    def valid(self, at_ms: int | None) -> ColumnElement[bool]:
        """The condition for rows that hold at an instant; None = now."""
        own = self.table.c
        if at_ms is None:
            return own.valid_to_ms.is_(None)
        return and_(own.valid_from_ms <= at_ms, or_(own.valid_to_ms.is_(None), own.valid_to_ms > at_ms))

    def _key_columns(self) -> list[Column[Any]]:
        return [self.table.c[name] for name in self.key]

    def _records(self, connection: Connection, query: Select[Any]) -> dict[Key, Record]:
        records = (self._record(row) for row in connection.execute(query))
        return {self.key_of(record): record for record in records}

    def _record(self, cells: Sequence[Any]) -> Record:
        return self.record(**dict(zip(self._names, cells, strict=True)))


DEVICES: Versions[Device] = Versions("device_version", Device, ("device_id",))
SITES: Versions[Site] = Versions("site_version", Site, ("town", "site"))
# Two devices in use never share a radio: the database holds it, whatever a program forgets.
_IN_USE = DEVICES.table.c.stage != "retired"
_unique_now("device_version_radio", DEVICES.table, ("dev_eui",), and_(DEVICES.valid(None), _IN_USE))


def chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    """The keys in lists short enough for one query."""
    rest = iter(keys)
    while chunk := list(islice(rest, KEYS_PER_QUERY)):
        yield chunk


def last_change(connection: Connection) -> tuple[int, int]:
    """Number and instant (Unix ms) of the last change; (0, 0) for an empty inventory."""
    query = select(func.max(change_table.c.version), func.max(change_table.c.at_ms))
    version, at_ms = connection.execute(query).one()
    return version or 0, at_ms or 0


def radio_holders(connection: Connection, radios: Iterable[str]) -> Mapping[str, str]:
    """Which device in use has which of these dev_eui now: {dev_eui: device_id}."""
    own = DEVICES.table.c
    holders: dict[str, str] = {}
    for chunk in chunks(radios):
        query = select(own.dev_eui, own.device_id).where(DEVICES.valid(None), _IN_USE, own.dev_eui.in_(chunk))
        holders.update((radio, holder) for radio, holder in connection.execute(query))
    return holders
