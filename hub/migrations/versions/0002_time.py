"""Who a source person was held to be, and since when"""

import sqlalchemy as sa
from alembic import op

revision = "0002_time"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person_assertion",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_person_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_assertion")),
    )
    op.create_index(
        op.f("ix_person_assertion_source_person_id_id"), "person_assertion", ["source_person_id", "id"], unique=False
    )
    # Since when nobody wrote down: what is held now counts as held from the first day.
    op.execute(
        "INSERT INTO person_assertion (source_person_id, person_id, recorded_at) "
        "SELECT id, person_id, first_seen_at FROM source_person WHERE person_id IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_person_assertion_source_person_id_id"), table_name="person_assertion")
    op.drop_table("person_assertion")
