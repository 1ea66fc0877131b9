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


async def test_entries_of_the_watch_list_get_the_steps_that_are_known(unmigrated: Settings) -> None:
    """What stood on the list before statuses were kept has its entry and its present status as history."""
    assert unmigrated.database_url
    engine = create_async_engine(unmigrated.database_url)
    try:
        await upgrade(engine)
        await downgrade(engine, "0001")
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO watch (id, account_id, status, reasons, entered_at, status_since) "
                    "SELECT gen_random_uuid(), gen_random_uuid(), status, '[]', '2026-01-01', '2026-01-05' "
                    "FROM unnest(ARRAY['at_risk', 'saving']) AS status"
                )
            )
        await upgrade(engine)
        async with engine.connect() as connection:
            steps = await connection.execute(
                text("SELECT w.status, s.status, s.at::date::text FROM watch_step s JOIN watch w ON w.id = s.watch_id")
            )
            assert sorted(tuple(step) for step in steps) == [
                ("at_risk", "at_risk", "2026-01-01"),
                ("saving", "at_risk", "2026-01-01"),
                ("saving", "saving", "2026-01-05"),
            ]
    finally:
        await engine.dispose()
