"""Search over accounts and people"""

import sqlalchemy as sa
from alembic import op

revision = "0012_search"
down_revision = "0011_switches"
branch_labels = None
depends_on = None

DOCUMENTS = {
    "account": "lower(name || ' ' || translate(coalesce(domain, ''), '.-_', '   '))",
    "person": "lower(coalesce(name, '') || ' ' || translate(coalesce(email, ''), '@.-_+', '     ') || ' ' || "
    "coalesce(title, ''))",
}


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for table, document in DOCUMENTS.items():
        words = sa.text(f"to_tsvector('simple'::regconfig, {document})")
        op.create_index(f"ix_{table}_words", table, [words], postgresql_using="gin")
        op.create_index(
            f"ix_{table}_likeness",
            table,
            [sa.literal_column(document).label("likeness")],
            postgresql_using="gin",
            postgresql_ops={"likeness": "gin_trgm_ops"},
        )


def downgrade() -> None:
    for table in DOCUMENTS:
        op.drop_index(f"ix_{table}_likeness", table_name=table)
        op.drop_index(f"ix_{table}_words", table_name=table)
    op.execute("DROP EXTENSION IF EXISTS pg_trgm")
