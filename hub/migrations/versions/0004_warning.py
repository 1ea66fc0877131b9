"""Overridden bands, the lives of alerts and of the watch list, and digests"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004_warning"
down_revision = "0003_plays"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("parent_by", sa.String(), nullable=True))
    op.add_column("health", sa.Column("revenue_minor", sa.BigInteger(), nullable=True))
    op.add_column("alert", sa.Column("ceased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert", sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert", sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("watch", sa.Column("next_action_due", sa.DateTime(timezone=True), nullable=True))
    op.add_column("watch", sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.create_index(
        op.f("ix_account_parent_id"), "account", ["parent_id"], postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.create_index(
        op.f("ix_account_merged_into"), "account", ["merged_into"], postgresql_where=sa.text("merged_into IS NOT NULL")
    )
    op.create_table(
        "band_override",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_band_override")),
    )
    op.create_index(op.f("ix_band_override_account_id"), "band_override", ["account_id", sa.literal_column("made_at DESC")])
    op.create_index(
        "uq_band_override_standing",
        "band_override",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "watch_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_step")),
    )
    op.create_index(op.f("ix_watch_step_watch_id_at_id"), "watch_step", ["watch_id", "at", "id"])
    op.create_table(
        "owner_digest",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("message", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("owner", "day", name=op.f("pk_owner_digest")),
    )
    op.create_index(op.f("ix_owner_digest_status_day"), "owner_digest", ["status", "day"])
    # Digests ask for what is an owner's, and for what happened of late.
    op.create_index(op.f("ix_account_owner"), "account", ["owner"])
    op.create_index(op.f("ix_alert_owner_opened_at"), "alert", ["owner", "opened_at"])
    op.create_index(op.f("ix_watch_owner"), "watch", ["owner"])
    # What is known of entries that stand already: that they came on the list, and the status they have now.
    op.execute(
        "INSERT INTO watch_step (id, watch_id, account_id, status, at, by) "
        "SELECT gen_random_uuid(), id, account_id, 'at_risk', entered_at, 'hub' FROM watch "
        "UNION ALL SELECT gen_random_uuid(), id, account_id, status, status_since, 'hub' FROM watch "
        "WHERE status <> 'at_risk'"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_watch_owner"), table_name="watch")
    op.drop_index(op.f("ix_alert_owner_opened_at"), table_name="alert")
    op.drop_index(op.f("ix_account_owner"), table_name="account")
    op.drop_table("owner_digest")
    op.drop_table("watch_step")
    op.drop_table("band_override")
    op.drop_index(op.f("ix_account_merged_into"), table_name="account")
    op.drop_index(op.f("ix_account_parent_id"), table_name="account")
    op.drop_column("watch", "version")
    op.drop_column("watch", "next_action_due")
    op.drop_column("alert", "version")
    op.drop_column("alert", "snoozed_until")
    op.drop_column("alert", "ceased_at")
    op.drop_column("health", "revenue_minor")
    op.drop_column("account", "parent_by")
