"""Products that were removed by their id: their source's old rows must not bring them back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removal",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("row_hash", sa.String, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("removal")
