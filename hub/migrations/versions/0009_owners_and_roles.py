"""Since when owners and roles are known, and owners that a person assigned"""

import sqlalchemy as sa
from alembic import op

revision = "0009_owners_and_roles"
down_revision = "0008_mailbox_marks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_owner",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("assigned_by", sa.String(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_owner")),
    )
    op.create_index(op.f("ix_account_owner_account_id_id"), "account_owner", ["account_id", "id"])
    op.create_table(
        "person_role",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_role")),
    )
    op.create_index(op.f("ix_person_role_person_id_id"), "person_role", ["person_id", "id"])
    op.add_column("account", sa.Column("owner_by", sa.String(), nullable=True))
    # Until now the present owner and role counted for the whole past; so they are held to be known from the first day.
    op.execute(
        "INSERT INTO account_owner (account_id, owner, recorded_at) "
        "SELECT id, owner, least(created_at, first_seen_at) FROM account WHERE owner IS NOT NULL ORDER BY id"
    )
    op.execute(
        "INSERT INTO person_role (person_id, role, recorded_at) "
        "SELECT id, role, first_seen_at FROM person WHERE role IS NOT NULL ORDER BY id"
    )


def downgrade() -> None:
    op.drop_column("account", "owner_by")
    op.drop_index(op.f("ix_person_role_person_id_id"), table_name="person_role")
    op.drop_table("person_role")
    op.drop_index(op.f("ix_account_owner_account_id_id"), table_name="account_owner")
    op.drop_table("account_owner")
