"""A database is made ready: a new version of the blueprint has every account scored again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from hub.accounts.model import Account
from hub.cli.session import prepare
from hub.kit.ids import new_id
from hub.kit.runtime import Kit

ONE = "blueprint: 1\nname: one\n"


async def test_a_new_version_of_the_blueprint_scores_everybody_again(kit: Kit, tmp_path: Path) -> None:
    """Once: the same document again, as every start applies it, marks nobody."""
    now = kit.clock.now()
    async with kit.transaction() as session:
        session.add(Account(id=new_id(), name="Acme", time_zone="UTC", facts={}, created_at=now, first_seen_at=now))
    path = tmp_path / "blueprint.yaml"
    marked = []
    for document in (ONE, ONE, ONE.replace("one", "two")):
        path.write_text(document, encoding="utf-8")
        await prepare(replace(kit, settings=kit.settings.model_copy(update={"blueprint": path})))
        async with kit.transaction() as session:
            marked.append((await session.execute(text("SELECT count(*) FROM work_item"))).scalar_one())
            await session.execute(text("TRUNCATE work_item"))
    assert marked == [1, 0, 1]
