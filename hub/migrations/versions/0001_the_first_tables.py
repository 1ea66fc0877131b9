"""The first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE outbox_position")
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=True),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("anchor", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["merged_into"], ["account.id"], name=op.f("fk_account_merged_into_account")),
        sa.ForeignKeyConstraint(["parent_id"], ["account.id"], name=op.f("fk_account_parent_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("anchor", name=op.f("uq_account_anchor")),
    )
    op.create_index(
        "ix_account_live", "account", ["name", "id"], unique=False, postgresql_where=sa.text("merged_into IS NULL")
    )
    op.create_table(
        "account_assertion",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_account_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merge_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_assertion")),
    )
    op.create_index(op.f("ix_account_assertion_account_id_id"), "account_assertion", ["account_id", "id"], unique=False)
    op.create_index(
        op.f("ix_account_assertion_source_account_id_id"),
        "account_assertion",
        ["source_account_id", "id"],
        unique=False,
    )
    op.create_table(
        "account_key",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("source_account_id", sa.Uuid(), nullable=False),
        sa.Column("asserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "relation", "source_account_id", name=op.f("pk_account_key")),
    )
    op.create_index(op.f("ix_account_key_source_account_id"), "account_key", ["source_account_id"], unique=False)
    op.create_table(
        "action_call",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("output", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection_id", "key", name=op.f("pk_action_call")),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.Column("rearmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("values", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("blueprint_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(
        op.f("ix_alert_account_id"), "alert", ["account_id", sa.literal_column("opened_at DESC")], unique=False
    )
    op.create_index(
        op.f("ix_alert_status_id"), "alert", ["status", sa.literal_column("opened_at DESC"), "id"], unique=False
    )
    op.create_index(
        "uq_alert_alive", "alert", ["account_id", "rule"], unique=True, postgresql_where=sa.text("rearmed_at IS NULL")
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
        sa.UniqueConstraint("name", name=op.f("uq_api_key_name")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_subject_at"), "audit_entry", ["subject", "at"], unique=False)
    op.create_table(
        "blueprint_version",
        sa.Column("version", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_blueprint_version")),
    )
    op.create_table(
        "connection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("sealed_config", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint("name", name=op.f("uq_connection_name")),
    )
    op.create_index(
        "uq_connection_tenant",
        "connection",
        ["connector", "tenant"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "event",
        sa.Column("source_account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retracted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flow", sa.String(), nullable=False),
        sa.Column("people", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("subject_type", sa.String(), nullable=True),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("subject_state", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("caused_by_run", sa.Uuid(), nullable=True),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("stream", sa.String(), nullable=True),
        sa.Column("record_id", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source_account_id", "id", "revision", name=op.f("pk_event")),
    )
    op.create_index(
        "ix_event_subject",
        "event",
        ["source_account_id", "subject_type", "subject_id", sa.literal_column("occurred_at DESC")],
        unique=False,
        postgresql_where=sa.text("subject_type IS NOT NULL"),
    )
    op.create_index(
        "ix_event_timeline",
        "event",
        ["source_account_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("theme", sa.String(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_feedback_idempotency_key")),
    )
    op.create_index(
        op.f("ix_feedback_account_id_id"),
        "feedback",
        ["account_id", sa.literal_column("recorded_at DESC"), "id"],
        unique=False,
    )
    op.create_table(
        "health",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("score_id", sa.Uuid(), nullable=False),
        sa.Column("micro_points", sa.BigInteger(), nullable=True),
        sa.Column("coverage_ppm", sa.BigInteger(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_health")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index(op.f("ix_health_band_account_id"), "health", ["band", "account_id"], unique=False)
    op.create_index(op.f("ix_health_micro_points_account_id"), "health", ["micro_points", "account_id"], unique=False)
    op.create_table(
        "mailbox_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailbox_message")),
        sa.UniqueConstraint("connection_id", "key", name=op.f("uq_mailbox_message_connection_id_key")),
    )
    op.create_index(
        "ix_mailbox_message_waiting",
        "mailbox_message",
        ["connection_id", "recipient", "created_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "merge",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("winner_id", sa.Uuid(), nullable=False),
        sa.Column("loser_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge")),
    )
    op.create_index(
        "ix_merge_winner", "merge", ["winner_id"], unique=False, postgresql_where=sa.text("undone_at IS NULL")
    )
    op.create_index("uq_merge_loser", "merge", ["loser_id"], unique=True, postgresql_where=sa.text("undone_at IS NULL"))
    op.create_table(
        "merge_suggestion",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("key_kind", sa.String(), nullable=False),
        sa.Column("key_value", sa.String(), nullable=False),
        sa.Column("suggested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge_suggestion")),
    )
    op.create_index(
        "ix_merge_suggestion_open",
        "merge_suggestion",
        ["suggested_at", "id"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_table(
        "milestone_progress",
        sa.Column("stay_id", sa.Uuid(), nullable=False),
        sa.Column("milestone", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("stay_id", "milestone", name=op.f("pk_milestone_progress")),
        sa.UniqueConstraint(
            "account_id", "stay_id", "milestone", name=op.f("uq_milestone_progress_account_id_stay_id_milestone")
        ),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("position", name=op.f("uq_outbox_position")),
    )
    op.create_index(op.f("ix_outbox_topic_position"), "outbox", ["topic", "position"], unique=False)
    op.create_index(
        "ix_outbox_unpublished", "outbox", ["id"], unique=False, postgresql_where=sa.text("position IS NULL")
    )
    op.create_table(
        "person_key",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("source_person_id", sa.Uuid(), nullable=False),
        sa.Column("asserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "source_person_id", name=op.f("pk_person_key")),
    )
    op.create_index(op.f("ix_person_key_source_person_id"), "person_key", ["source_person_id"], unique=False)
    op.create_table(
        "person_place",
        sa.Column("source_person_id", sa.Uuid(), nullable=False),
        sa.Column("source_account_id", sa.Uuid(), nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("source_person_id", "source_account_id", name=op.f("pk_person_place")),
    )
    op.create_index(op.f("ix_person_place_source_account_id"), "person_place", ["source_account_id"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=True),
        sa.Column("record_id", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_index(
        op.f("ix_quarantine_connection_id_resolved_at_last_seen_at"),
        "quarantine",
        ["connection_id", "resolved_at", "last_seen_at"],
        unique=False,
    )
    op.create_table(
        "raw_pending",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "stream", "record_id", "version", name=op.f("pk_raw_pending")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("play", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("trigger", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("blueprint_version", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("play", "account_id", "occurrence", name=op.f("uq_run_play_account_id_occurrence")),
    )
    op.create_index(
        op.f("ix_run_account_id"), "run", ["account_id", sa.literal_column("started_at DESC")], unique=False
    )
    op.create_index(op.f("ix_run_id"), "run", [sa.literal_column("started_at DESC"), "id"], unique=False)
    op.create_table(
        "run_step",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "index", name=op.f("pk_run_step")),
    )
    op.create_table(
        "score",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("micro_points", sa.BigInteger(), nullable=True),
        sa.Column("coverage_ppm", sa.BigInteger(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("computed_band", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("blueprint_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score")),
    )
    op.create_index(
        op.f("ix_score_account_id"),
        "score",
        ["account_id", sa.literal_column("as_of DESC"), sa.literal_column("recorded_at DESC")],
        unique=False,
    )
    op.create_table(
        "source_person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("profile", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "profile_times", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("profile_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_person")),
    )
    op.create_index(op.f("ix_source_person_person_id"), "source_person", ["person_id"], unique=False)
    op.create_table(
        "stay",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("because", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("blueprint_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stay")),
    )
    op.create_index(op.f("ix_stay_account_id_entered_at"), "stay", ["account_id", "entered_at"], unique=False)
    op.create_index("uq_stay_current", "stay", ["account_id"], unique=True, postgresql_where=sa.text("left_at IS NULL"))
    op.create_table(
        "step_call",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "step", "recipient", name=op.f("pk_step_call")),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("step", sa.BigInteger(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("details", sa.String(), nullable=True),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("run_id", "step", name=op.f("uq_task_run_id_step")),
    )
    op.create_index(
        op.f("ix_task_account_id"), "task", ["account_id", sa.literal_column("created_at DESC")], unique=False
    )
    op.create_index(op.f("ix_task_status_due_at_id"), "task", ["status", "due_at", "id"], unique=False)
    op.create_table(
        "touch",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "step", "person_id", name=op.f("pk_touch")),
    )
    op.create_index(op.f("ix_touch_person_id_touched_at"), "touch", ["person_id", "touched_at"], unique=False)
    op.create_table(
        "watch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("revenue_at_risk_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("next_action", sa.String(), nullable=True),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch")),
    )
    op.create_index(op.f("ix_watch_ended_at_entered_at"), "watch", ["ended_at", "entered_at"], unique=False)
    op.create_index(
        "uq_watch_alive", "watch", ["account_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("webhook", sa.String(), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index(
        "ix_webhook_delivery_processed",
        "webhook_delivery",
        ["processed_at"],
        unique=False,
        postgresql_where=sa.text("processed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_delivery_waiting",
        "webhook_delivery",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("processed_at IS NULL AND problem IS NULL"),
    )
    op.create_index(
        "uq_webhook_delivery_id",
        "webhook_delivery",
        ["connection_id", "webhook", "delivery_id"],
        unique=True,
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.create_table(
        "work_item",
        sa.Column("list", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("settling_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("list", "key", name=op.f("pk_work_item")),
    )
    op.create_index(op.f("ix_work_item_list_due_at"), "work_item", ["list", "due_at"], unique=False)
    op.create_table(
        "checkpoint",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("backfill", sa.Boolean(), nullable=False),
        sa.Column("cursor", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_checkpoint_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("connection_id", "stream", "backfill", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "listed_record",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_listed_record_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("connection_id", "stream", "record_id", name=op.f("pk_listed_record")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column("do_not_contact", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("anchor", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_person_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("anchor", name=op.f("uq_person_anchor")),
    )
    op.create_index(op.f("ix_person_account_id_id"), "person", ["account_id", "id"], unique=False)
    op.create_table(
        "raw_record",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_raw_record_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("connection_id", "stream", "record_id", "version", name=op.f("pk_raw_record")),
    )
    op.create_table(
        "source_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("profile", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "profile_times", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("profile_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_source_account_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_account")),
    )
    op.create_index("ix_source_account_account", "source_account", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_source_account_holding",
        "source_account",
        ["first_seen_at"],
        unique=False,
        postgresql_where=sa.text("account_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_source_account_holding", table_name="source_account", postgresql_where=sa.text("account_id IS NULL")
    )
    op.drop_index("ix_source_account_account", table_name="source_account")
    op.drop_table("source_account")
    op.drop_table("raw_record")
    op.drop_index(op.f("ix_person_account_id_id"), table_name="person")
    op.drop_table("person")
    op.drop_table("listed_record")
    op.drop_table("checkpoint")
    op.drop_index(op.f("ix_work_item_list_due_at"), table_name="work_item")
    op.drop_table("work_item")
    op.drop_index(
        "uq_webhook_delivery_id", table_name="webhook_delivery", postgresql_where=sa.text("delivery_id IS NOT NULL")
    )
    op.drop_index(
        "ix_webhook_delivery_waiting",
        table_name="webhook_delivery",
        postgresql_where=sa.text("processed_at IS NULL AND problem IS NULL"),
    )
    op.drop_index(
        "ix_webhook_delivery_processed",
        table_name="webhook_delivery",
        postgresql_where=sa.text("processed_at IS NOT NULL"),
    )
    op.drop_table("webhook_delivery")
    op.drop_index("uq_watch_alive", table_name="watch", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index(op.f("ix_watch_ended_at_entered_at"), table_name="watch")
    op.drop_table("watch")
    op.drop_index(op.f("ix_touch_person_id_touched_at"), table_name="touch")
    op.drop_table("touch")
    op.drop_index(op.f("ix_task_status_due_at_id"), table_name="task")
    op.drop_index(op.f("ix_task_account_id"), table_name="task")
    op.drop_table("task")
    op.drop_table("step_call")
    op.drop_index("uq_stay_current", table_name="stay", postgresql_where=sa.text("left_at IS NULL"))
    op.drop_index(op.f("ix_stay_account_id_entered_at"), table_name="stay")
    op.drop_table("stay")
    op.drop_index(op.f("ix_source_person_person_id"), table_name="source_person")
    op.drop_table("source_person")
    op.drop_index(op.f("ix_score_account_id"), table_name="score")
    op.drop_table("score")
    op.drop_table("run_step")
    op.drop_index(op.f("ix_run_id"), table_name="run")
    op.drop_index(op.f("ix_run_account_id"), table_name="run")
    op.drop_table("run")
    op.drop_table("raw_pending")
    op.drop_index(op.f("ix_quarantine_connection_id_resolved_at_last_seen_at"), table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_index(op.f("ix_person_place_source_account_id"), table_name="person_place")
    op.drop_table("person_place")
    op.drop_index(op.f("ix_person_key_source_person_id"), table_name="person_key")
    op.drop_table("person_key")
    op.drop_index("ix_outbox_unpublished", table_name="outbox", postgresql_where=sa.text("position IS NULL"))
    op.drop_index(op.f("ix_outbox_topic_position"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("milestone_progress")
    op.drop_index(
        "ix_merge_suggestion_open", table_name="merge_suggestion", postgresql_where=sa.text("decided_at IS NULL")
    )
    op.drop_table("merge_suggestion")
    op.drop_index("uq_merge_loser", table_name="merge", postgresql_where=sa.text("undone_at IS NULL"))
    op.drop_index("ix_merge_winner", table_name="merge", postgresql_where=sa.text("undone_at IS NULL"))
    op.drop_table("merge")
    op.drop_index(
        "ix_mailbox_message_waiting", table_name="mailbox_message", postgresql_where=sa.text("closed_at IS NULL")
    )
    op.drop_table("mailbox_message")
    op.drop_index(op.f("ix_health_micro_points_account_id"), table_name="health")
    op.drop_index(op.f("ix_health_band_account_id"), table_name="health")
    op.drop_table("health")
    op.drop_index(op.f("ix_feedback_account_id_id"), table_name="feedback")
    op.drop_table("feedback")
    op.drop_index("ix_event_timeline", table_name="event")
    op.drop_index("ix_event_subject", table_name="event", postgresql_where=sa.text("subject_type IS NOT NULL"))
    op.drop_table("event")
    op.drop_index("uq_connection_tenant", table_name="connection", postgresql_where=sa.text("removed_at IS NULL"))
    op.drop_table("connection")
    op.drop_table("blueprint_version")
    op.drop_index(op.f("ix_audit_entry_subject_at"), table_name="audit_entry")
    op.drop_table("audit_entry")
    op.drop_table("api_key")
    op.drop_index("uq_alert_alive", table_name="alert", postgresql_where=sa.text("rearmed_at IS NULL"))
    op.drop_index(op.f("ix_alert_status_id"), table_name="alert")
    op.drop_index(op.f("ix_alert_account_id"), table_name="alert")
    op.drop_table("alert")
    op.drop_table("action_call")
    op.drop_index(op.f("ix_account_key_source_account_id"), table_name="account_key")
    op.drop_table("account_key")
    op.drop_index(op.f("ix_account_assertion_source_account_id_id"), table_name="account_assertion")
    op.drop_index(op.f("ix_account_assertion_account_id_id"), table_name="account_assertion")
    op.drop_table("account_assertion")
    op.drop_index("ix_account_live", table_name="account", postgresql_where=sa.text("merged_into IS NULL"))
    op.drop_table("account")
    op.execute("DROP SEQUENCE outbox_position")
