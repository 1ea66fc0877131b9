"""The versions of the blueprint: immutable, in their order, and cheap to ask for."""

from __future__ import annotations

import asyncio
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from hub.blueprint import service
from hub.blueprint.shipped import IN_THE_CHECKOUT, IN_THE_WHEEL, shipped_path
from hub.blueprint.values import Entry
from hub.kit.errors import NotFound
from hub.kit.runtime import Kit

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = {"blueprint": 1, "name": "first", "segments": {"zebra": {"when": "mrr > 1"}, "ant": {}}}
SECOND = {"blueprint": 1, "name": "second"}


async def apply(kit: Kit, document: dict[str, object], now: datetime = NOW) -> int:
    async with kit.transaction() as session:
        return await service.apply(session, document, "tests", now)


async def stored(kit: Kit) -> list[tuple[int, str]]:
    async with kit.reading() as session:
        rows = await session.execute(
            text("SELECT version, document ->> 'name' FROM blueprint_version ORDER BY version")
        )
        return [(version, name) for version, name in rows]


async def test_applying_what_is_in_force_changes_nothing(kit: Kit) -> None:
    """A deployment may apply its file at every start."""
    version = await apply(kit, FIRST)
    assert await apply(kit, dict(FIRST), NOW + timedelta(days=1)) == version
    assert await stored(kit) == [(version, "first")]


async def test_a_change_and_its_taking_back_are_versions_of_their_own(kit: Kit) -> None:
    """Versions are only ever added, and every one of them can still be read."""
    versions = [await apply(kit, FIRST), await apply(kit, SECOND), await apply(kit, FIRST)]
    assert versions == sorted(set(versions))
    async with kit.reading() as session:
        assert (await service.current(session)).version == versions[2]
        assert (await service.at_version(session, versions[1])).document == SECOND
        with pytest.raises(NotFound, match="There is no version 99"):
            await service.at_version(session, 99)


async def test_the_order_of_entries_is_kept(kit: Kit) -> None:
    """The first segment whose rule holds takes an account, so order is meaning, and another order another version."""
    version = await apply(kit, FIRST)
    service._read.clear()
    async with kit.reading() as session:
        segments = (await service.current(session)).document["segments"]
    assert list(segments) == ["zebra", "ant"]
    turned = {**FIRST, "segments": {"ant": {}, "zebra": {"when": "mrr > 1"}}}
    assert await apply(kit, turned) > version


async def test_without_a_blueprint_there_is_none_in_force(kit: Kit) -> None:
    """The error says what applies one."""
    async with kit.reading() as session:
        with pytest.raises(NotFound, match="No blueprint is in force"):
            await service.current(session)


async def test_the_document_is_read_once_a_version(kit: Kit) -> None:
    """Asking again costs one small statement and gives the same object; a new version is seen at once."""
    await apply(kit, FIRST)
    statements: list[str] = []
    engine = kit.database.engine.sync_engine

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", note)
    async with kit.reading() as session:
        first = await service.current(session)
        statements.clear()
        assert await service.current(session) is first
    assert len(statements) == 1
    assert "document" not in statements[0]
    await apply(kit, SECOND)
    async with kit.reading() as session:
        assert (await service.current(session)).document["name"] == "second"


async def test_two_processes_that_apply_the_same_document_make_one_version(kit: Kit) -> None:
    """Whoever comes second finds it in force."""
    versions = await asyncio.gather(*(apply(kit, FIRST) for _ in range(6)))
    assert len(set(versions)) == 1
    assert len(await stored(kit)) == 1


async def test_another_database_has_another_blueprint(kit: Kit) -> None:
    """What is kept in memory is kept by version and content: the same number elsewhere is not the same document."""
    version = await apply(kit, FIRST)
    async with kit.reading() as session:
        assert (await service.current(session)).document["name"] == "first"
    async with kit.transaction() as session:
        await session.execute(
            text("UPDATE blueprint_version SET document = CAST(:document AS json), digest = :digest"),
            {"document": '{"blueprint": 1, "name": "second"}', "digest": service.digest_of(SECOND)},
        )
    async with kit.reading() as session:
        found = await service.current(session)
    assert (found.version, found.document["name"]) == (version, "second")


def test_layout_and_comments_do_not_make_a_version() -> None:
    """The digest is of what the document says."""
    one = service.read_text("blueprint: 1\nname: x # a comment\nalerts: {a: {when: 'b > 1'}}\n")
    other = service.read_text("# moved\nblueprint:   1\nname: 'x'\nalerts:\n  a:\n    when: b > 1\n")
    assert service.digest_of(one) == service.digest_of(other)
    assert service.digest_of(one) != service.digest_of(SECOND)


def test_the_shipped_folder_is_found_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    """A wheel carries a copy beside the code; a checkout has the example itself."""
    assert (shipped_path() / "blueprint.yaml").is_file()
    assert Path(service.__file__).parent / "shipped" == IN_THE_WHEEL
    wheel = tmp_path / "shipped"
    wheel.mkdir()
    assert shipped_path(wheel, IN_THE_CHECKOUT) == wheel
    with pytest.raises(NotFound, match="The shipped blueprint is missing"):
        shipped_path(tmp_path / "nowhere")


def test_the_wheel_is_told_to_carry_the_copy() -> None:
    """Where the build puts the example is where the code looks for it."""
    project = Path(__file__).parents[2]
    build = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    carried = {project / example: project / copy for example, copy in build["force-include"].items()}
    assert carried[IN_THE_CHECKOUT] == IN_THE_WHEEL


class _Nothing(Entry):
    pass


def test_a_blueprint_validates_a_section_by_its_rooms_model() -> None:
    """What the model does not know is refused with its path, although there is no file to name."""
    with pytest.raises(service.BlueprintInvalid, match=r"alerts\.a: is not known here"):
        service.Blueprint(3, {"alerts": {"a": 1}}).section("alerts", _Nothing)
