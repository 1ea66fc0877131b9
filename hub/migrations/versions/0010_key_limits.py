"""Keys that are limited to an owner's accounts, and keys that may ask what is no trusted document"""

import sqlalchemy as sa
from alembic import op

revision = "0010_key_limits"
down_revision = "0009_owners_and_roles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_key", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("api_key", sa.Column("ad_hoc", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("api_key", "ad_hoc")
    op.drop_column("api_key", "owner")
