"""Plays are paused, switched off and on; runs are for people, too, and know what caused them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011_switches"
down_revision = "0010_key_limits"
branch_labels = None
depends_on = None

ALIVE = sa.text("status IN ('running', 'held', 'paused')")


def upgrade() -> None:
    op.create_table(
        "collected_start",
        sa.Column("play", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence", sa.String(), nullable=False),
        sa.Column("trigger", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("play", "account_id", "occurrence", name=op.f("pk_collected_start")),
    )
    op.create_index(op.f("ix_collected_start_play_collected_at"), "collected_start", ["play", "collected_at"])
    op.create_table(
        "play_switch",
        sa.Column("play", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("existing", sa.String(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("play", name=op.f("pk_play_switch")),
    )
    op.add_column("run", sa.Column("person_id", sa.Uuid(), nullable=True))
    op.add_column("run", sa.Column("caused_by", sa.Uuid(), nullable=True))
    op.add_column("run", sa.Column("depth", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.drop_constraint(op.f("uq_run_play_account_id_occurrence"), "run", type_="unique")
    op.create_unique_constraint(
        op.f("uq_run_play_account_id_person_id_occurrence"),
        "run",
        ["play", "account_id", "person_id", "occurrence"],
        postgresql_nulls_not_distinct=True,
    )
    op.drop_index("ix_run_alive", table_name="run")
    op.create_index("ix_run_alive", "run", ["account_id"], postgresql_where=ALIVE)
    op.create_index("ix_run_play_alive", "run", ["play", "id"], postgresql_where=ALIVE)
    op.add_column("touch", sa.Column("round", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.drop_constraint(op.f("pk_touch"), "touch", type_="primary")
    op.create_primary_key(op.f("pk_touch"), "touch", ["run_id", "step", "person_id", "round"])


def downgrade() -> None:
    op.execute("DELETE FROM touch WHERE round > 0")
    op.drop_constraint(op.f("pk_touch"), "touch", type_="primary")
    op.create_primary_key(op.f("pk_touch"), "touch", ["run_id", "step", "person_id"])
    op.drop_column("touch", "round")
    op.drop_index("ix_run_play_alive", table_name="run")
    op.drop_index("ix_run_alive", table_name="run")
    op.create_index(
        "ix_run_alive", "run", ["account_id"], postgresql_where=sa.text("status IN ('running', 'held')")
    )
    op.execute("DELETE FROM run WHERE person_id IS NOT NULL")
    op.drop_constraint(op.f("uq_run_play_account_id_person_id_occurrence"), "run", type_="unique")
    op.create_unique_constraint(
        op.f("uq_run_play_account_id_occurrence"), "run", ["play", "account_id", "occurrence"]
    )
    op.drop_column("run", "depth")
    op.drop_column("run", "caused_by")
    op.drop_column("run", "person_id")
    op.drop_table("play_switch")
    op.drop_index(op.f("ix_collected_start_play_collected_at"), table_name="collected_start")
    op.drop_table("collected_start")
