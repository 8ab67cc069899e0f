"""Adapters: a small map on top of an encoder's vectors, fitted to the catalog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adapter",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "encoder_id",
            sa.Integer,
            sa.ForeignKey("encoder.id", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("adapter")
