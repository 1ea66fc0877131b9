"""What is remembered about a waiting message"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_mailbox_marks"
down_revision = "0007_replay"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "mailbox_message",
        sa.Column("marks", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("mailbox_message", "marks")
