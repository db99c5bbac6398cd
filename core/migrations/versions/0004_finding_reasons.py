"""What a finding rests on: the rule's version, its parameters with where they come from, and the numbers of the day."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = ("rule_hash", "params", "facts")


def upgrade() -> None:
    """Findings from before know nothing of it."""
    for name in COLUMNS:
        op.add_column("finding", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    for name in reversed(COLUMNS):
        op.drop_column("finding", name)
