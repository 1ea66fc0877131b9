"""Versions of the blueprint say why they were made"""

import sqlalchemy as sa
from alembic import op

revision = "0002_blueprint"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("blueprint_version", sa.Column("comment", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("blueprint_version", "comment")
