"""Tasks have checklists, reminders, escalation and comments, and twins at vendors"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014_tasks"
down_revision = "0013_erasure"
branch_labels = None
depends_on = None

EMPTY = sa.text("'[]'")


def upgrade() -> None:
    op.add_column(
        "task",
        sa.Column("checklist", postgresql.JSONB(astext_type=sa.Text()), server_default=EMPTY, nullable=False),
    )
    op.add_column(
        "task",
        sa.Column("reminders", postgresql.JSONB(astext_type=sa.Text()), server_default=EMPTY, nullable=False),
    )
    op.add_column("task", sa.Column("escalation", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("task", sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_task_of_owner",
        "task",
        ["owner", "due_at", "id"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "task_comment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_comment")),
    )
    op.create_index(op.f("ix_task_comment_task_id_id"), "task_comment", ["task_id", "id"])
    op.create_table(
        "task_twin",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_twin")),
    )


def downgrade() -> None:
    op.drop_table("task_twin")
    op.drop_index(op.f("ix_task_comment_task_id_id"), table_name="task_comment")
    op.drop_table("task_comment")
    op.drop_index("ix_task_of_owner", table_name="task")
    op.drop_column("task", "escalated_at")
    op.drop_column("task", "escalation")
    op.drop_column("task", "reminders")
    op.drop_column("task", "checklist")
