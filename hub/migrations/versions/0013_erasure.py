"""Erasing people: what is asked for, and what is left of who was erased"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013_erasure"
down_revision = "0012_search"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("position", json, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("counts", json, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        sa.UniqueConstraint("person_id", name=op.f("uq_erasure_person_id")),
    )
    op.create_index(op.f("ix_erasure_requested_at_id"), "erasure", ["requested_at", "id"])
    op.create_table(
        "erased_key",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("erasure_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name=op.f("fk_erased_key_erasure_id_erasure")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erased_key")),
    )
    op.create_index(op.f("ix_erased_key_erasure_id"), "erased_key", ["erasure_id"])
    op.create_table(
        "erased_source",
        sa.Column("source_person_id", sa.Uuid(), nullable=False),
        sa.Column("erasure_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name=op.f("fk_erased_source_erasure_id_erasure")),
        sa.PrimaryKeyConstraint("source_person_id", name=op.f("pk_erased_source")),
    )
    op.create_index(op.f("ix_erased_source_erasure_id"), "erased_source", ["erasure_id"])
    op.add_column("person", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("person", "erased_at")
    op.drop_index(op.f("ix_erased_source_erasure_id"), table_name="erased_source")
    op.drop_table("erased_source")
    op.drop_index(op.f("ix_erased_key_erasure_id"), table_name="erased_key")
    op.drop_table("erased_key")
    op.drop_index(op.f("ix_erasure_requested_at_id"), table_name="erasure")
    op.drop_table("erasure")
