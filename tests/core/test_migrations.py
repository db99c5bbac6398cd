"""The steps of the database: together they make exactly the tables of the code, and each can be taken back."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

import api.accounts_tables
import core.inventory_tables
import rules.tables
from core.relational import MIGRATIONS, DatabaseError, Relational, metadata

PARTS = (api.accounts_tables, core.inventory_tables, rules.tables)  # each adds its tables to the metadata


def steps_on(connection: Connection) -> Config:
    steps = Config()
    steps.set_main_option("script_location", str(MIGRATIONS))
    steps.attributes["connection"] = connection
    return steps


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_all_steps_make_the_tables_of_the_code(tmp_path: Path) -> None:
    with Relational(tmp_path / "platform.db") as database, database.read() as connection:
        assert differences(connection) == []


def test_all_steps_can_be_taken_back_and_made_again(tmp_path: Path) -> None:
    with Relational(tmp_path / "platform.db") as database:
        with database.write() as connection:
            command.downgrade(steps_on(connection), "base")
        with database.read() as connection:
            assert inspect(connection).get_table_names() == ["alembic_version"]
        with database.write() as connection:
            command.upgrade(steps_on(connection), "head")
        with database.read() as connection:
            assert differences(connection) == []


def test_steps_form_one_line_without_branches() -> None:
    numbers = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    with Relational(tmp_path / "platform.db") as database, database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="was written by a newer program"):
        Relational(tmp_path / "platform.db").open()
