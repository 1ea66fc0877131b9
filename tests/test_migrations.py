"""The migrations make exactly the tables that the models describe, and can be taken back."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.kit.settings import Settings
from hub.migrations.runner import current, downgrade, drift, head, upgrade


async def test_up_makes_what_the_models_describe_and_down_leaves_nothing(unmigrated: Settings) -> None:
    """Up, compared with the models, down to nothing, and up again."""
    assert unmigrated.database_url
    engine = create_async_engine(unmigrated.database_url)
    try:
        assert await current(engine) == ""
        await upgrade(engine)
        assert await current(engine) == head()
        assert await drift(engine) == []
        await downgrade(engine, "base")
        async with engine.connect() as connection:
            left = await connection.execute(
                text(
                    "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
                    "WHERE nspname = 'public' AND relkind IN ('r', 'S')"
                )
            )
            assert [name for (name,) in left] == ["alembic_version"]
        await upgrade(engine)
        assert await drift(engine) == []
    finally:
        await engine.dispose()


async def test_drift_is_noticed(unmigrated: Settings) -> None:
    """A column that the models do not know shows up as drift."""
    assert unmigrated.database_url
    engine = create_async_engine(unmigrated.database_url)
    try:
        await upgrade(engine)
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE account ADD COLUMN stray text"))
        assert [difference[0] for difference in await drift(engine)] == ["remove_column"]
    finally:
        await engine.dispose()
