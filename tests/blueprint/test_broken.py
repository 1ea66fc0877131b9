"""Broken documents, each with one mistake: one readable error on the right line, and what is in force stays.

The first line of each file says what is expected.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub import sections
from hub.access.service import SYSTEM
from hub.blueprint import queries
from hub.blueprint import service as blueprints
from hub.blueprint.problems import BlueprintInvalid
from hub.blueprint.service import read_document, shipped_path
from hub.kit.runtime import Kit
from hub.sections import applying

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


def expected(file: Path) -> tuple[int, str]:
    found = re.fullmatch(r"# error: line (\d+): (.+)", file.read_text().splitlines()[0])
    assert found, f"{file.name} begins with no expectation"
    return int(found[1]), found[2]


def test_there_are_many() -> None:
    """At least fifty, each about something else."""
    assert len(BROKEN) >= 50
    assert len({expected(file)[1] for file in BROKEN}) > 45


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_one_mistake_is_one_readable_error_on_its_line(file: Path) -> None:
    """Not a heap of what follows from it, and not the words of a library."""
    with pytest.raises(BlueprintInvalid) as raised:
        sections.read(file)
    (problem,) = raised.value.problems
    line, message = expected(file)
    assert str(problem) == f"{file}:{line}: {message}"
    assert not re.search(r"pydantic|sqlglot|Traceback|tuple|dict_type|Input should", message)


async def test_a_broken_document_never_replaces_a_good_one(kit: Kit) -> None:
    """Neither those that cannot be read nor those that make no sense."""
    async with kit.transaction() as session:
        good = await applying.apply(session, SYSTEM, read_document(shipped_path()), comment=None, now=kit.clock.now())
    refused = 0
    for file in BROKEN:
        with pytest.raises(BlueprintInvalid):
            async with kit.transaction() as session:
                await applying.apply(session, SYSTEM, read_document(file), comment=None, now=kit.clock.now())
        refused += 1
    async with kit.reading() as session:
        assert await blueprints.version_in_force(session) == good.version
        assert len(await queries.versions(session, SYSTEM)) == 1
    assert refused == len(BROKEN)
