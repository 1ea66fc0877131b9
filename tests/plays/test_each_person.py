"""A play that runs for each of the people it is for: once for each, however many ask at once."""

from __future__ import annotations

import asyncio

import pytest

from hub.blueprint import service as blueprints
from hub.blueprint.problems import BlueprintInvalid
from hub.kit.runtime import Kit
from hub.plays import service
from hub.sections import check

from .scene import CALL, SEND, Somebody, add_account, apply, drain, runs, tasks
from .vendor import Loft

TO_ALL = {**SEND, "to": {"role": "any"}}
NAMED = {"task": "Call {{ person.name or 'them' }}", "until_done": False}
EACH = {"trigger": {"alert": "decline"}, "each": {"role": ["champion", "administrator"]}, "steps": [TO_ALL, NAMED]}


async def test_each_person_has_a_run_of_their_own(still: Kit, vendor: Loft) -> None:
    """Twenty enrolments at once for one occurrence leave one run for each of the two people; each run writes to its own
    person alone and may name them."""
    await apply(still, [CALL], care=EACH)
    people = (Somebody("champion", name="Ada"), Somebody("administrator", name="Bob"), Somebody("end_user", name="Cy"))
    account = await add_account(still, *people)

    async def start(occurrence: str) -> int:
        async with still.transaction() as session:
            blueprint = await blueprints.current(session)
            return len(
                await service.enrol_if_wanted(
                    session, blueprint, "care", account, occurrence, {"topic": "test"}, now=still.clock.now()
                )
            )

    assert sum(await asyncio.gather(*(start("alert:1") for _ in range(20)))) == 2
    found = await runs(still)
    assert len({run.person_id for run in found}) == len(found) == 2
    await drain(still)
    assert sorted(letter["user"] for letter in vendor.letters) == ["u0@Acme", "u1@Acme"]
    assert sorted(task.title for task in await tasks(still)) == ["Call Ada", "Call Bob"]
    assert await start("alert:2") == 2


async def test_a_person_is_named_only_where_there_is_one() -> None:
    """The same text in a play for the account is found when the blueprint is checked."""
    document = {"blueprint": 1, "name": "test", "alerts": {"decline": {"when": "owner = 'x'"}}}
    care = {**EACH, "steps": [NAMED]}
    check({**document, "plays": {"care": care}})
    with pytest.raises(BlueprintInvalid, match="there is no 'person'"):
        check({**document, "plays": {"care": {key: value for key, value in care.items() if key != "each"}}})
