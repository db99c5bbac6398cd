"""The inventory: devices and sites in all their versions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _change()
    _device_version()
    _site_version()


def downgrade() -> None:
    """Take the tables away, with what is in them."""
    op.drop_table("site_version")
    op.drop_table("device_version")
    op.drop_table("change")


def _change() -> None:
    op.create_table(
        "change",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )


def _device_version() -> None:
    op.create_table(
        "device_version",
        *_what_it_is(),
        *_where_it_hangs(),
        sa.ForeignKeyConstraint(
            ["version"],
            ["change.version"],
        ),
        sa.PrimaryKeyConstraint("device_id", "version"),
    )
    op.create_index(
        "device_version_now",
        "device_version",
        ["device_id"],
        unique=True,
        sqlite_where=sa.text("valid_to_ms IS NULL"),
        postgresql_where=sa.text("valid_to_ms IS NULL"),
    )
    op.create_index(
        "device_version_radio",
        "device_version",
        ["dev_eui"],
        unique=True,
        sqlite_where=sa.text("valid_to_ms IS NULL AND stage != 'retired'"),
        postgresql_where=sa.text("valid_to_ms IS NULL AND stage != 'retired'"),
    )


def _what_it_is() -> list[sa.Column[Any]]:
    return [
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("device_type", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("town", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("pole", sa.Text(), nullable=True),
        sa.Column("cabinet", sa.Text(), nullable=True),
        sa.Column("circuit", sa.Text(), nullable=True),
    ]


def _where_it_hangs() -> list[sa.Column[Any]]:
    return [
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("supply", sa.Text(), nullable=True),
        sa.Column("nominal_w", sa.Double(), nullable=True),
        sa.Column("min_dim_pct", sa.Double(), nullable=True),
        sa.Column("min_w", sa.Double(), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("audience", sa.Text(), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("dev_eui", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_ms", sa.BigInteger(), nullable=True),
    ]


def _site_version() -> None:
    op.create_table(
        "site_version",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("town", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("fee", sa.Text(), nullable=True),
        sa.Column("opening_hours", sa.Text(), nullable=True),
        sa.Column("max_stay", sa.Text(), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("capacity_disabled", sa.Integer(), nullable=True),
        sa.Column("capacity_charging", sa.Integer(), nullable=True),
        sa.Column("capacity_family", sa.Integer(), nullable=True),
        sa.Column("capacity_women", sa.Integer(), nullable=True),
        sa.Column("capacity_carsharing", sa.Integer(), nullable=True),
        sa.Column("capacity_truck", sa.Integer(), nullable=True),
        sa.Column("capacity_bus", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["version"],
            ["change.version"],
        ),
        sa.PrimaryKeyConstraint("site", "town", "version"),
    )
    op.create_index(
        "site_version_now",
        "site_version",
        ["town", "site"],
        unique=True,
        sqlite_where=sa.text("valid_to_ms IS NULL"),
        postgresql_where=sa.text("valid_to_ms IS NULL"),
    )
