"""Outlets: how far the hub's facts have left through each connection"""

import sqlalchemy as sa
from alembic import op

revision = "0006_outlets"
down_revision = "0005_time"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outlet",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_outlet_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_outlet")),
    )


def downgrade() -> None:
    op.drop_table("outlet")
