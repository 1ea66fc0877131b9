"""The database's schema, as a series of Alembic revisions shipped with the package."""
