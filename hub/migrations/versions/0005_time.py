"""Since when a source person was held to be whom, and since when a source account was known to have been there"""

import sqlalchemy as sa
from alembic import op

revision = "0005_time"
down_revision = "0004_warning"
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
    op.create_table(
        "first_sighting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_account_id", sa.Uuid(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_first_sighting")),
    )
    op.create_index(
        op.f("ix_first_sighting_source_account_id_id"), "first_sighting", ["source_account_id", "id"], unique=False
    )
    # Since when nobody wrote down: what is held now counts as held from the first day.
    op.execute(
        "INSERT INTO person_assertion (source_person_id, person_id, recorded_at) "
        "SELECT id, person_id, first_seen_at FROM source_person WHERE person_id IS NOT NULL"
    )
    op.execute(
        "INSERT INTO first_sighting (source_account_id, first_seen_at, recorded_at) "
        "SELECT id, first_seen_at, first_seen_at FROM source_account WHERE connection_id IS NOT NULL"
    )
    # An account's own place was given to it without a word.
    op.execute(
        "INSERT INTO account_assertion (source_account_id, account_id, reason, evidence, actor, recorded_at) "
        "SELECT s.id, s.account_id, 'resolved', '{}', 'hub', s.first_seen_at FROM source_account s "
        "WHERE s.account_id IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM account_assertion a WHERE a.source_account_id = s.id)"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_first_sighting_source_account_id_id"), table_name="first_sighting")
    op.drop_table("first_sighting")
    op.drop_index(op.f("ix_person_assertion_source_person_id_id"), table_name="person_assertion")
    op.drop_table("person_assertion")
