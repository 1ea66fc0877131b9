"""What a play would say is read before it is said: to each person, with what is wrong; and whom a list reaches."""

from __future__ import annotations

import pytest

from hub.access.service import Role, Viewer
from hub.health.queries import AccountFilter
from hub.kit.errors import Invalid
from hub.kit.runtime import Kit
from hub.plays import service
from hub.plays.model import Run

from .scene import CALL, NOW, SEND, Somebody, add_account, apply, count, enrol, runs
from .vendor import Loft

CSM = Viewer("key:sam", Role.CSM)
HELLO = {**SEND, "input": {"title": "Hello {{ person.name or 'there' }}, {{ trigger.reason }}"}}
NOBODY = {**SEND, "to": {"role": "sponsor"}}


async def said(kit: Kit, account: object, play: str = "win_back") -> list[tuple[int, str | None, object, str | None]]:
    async with kit.reading() as session:
        _, found = await service.preview(session, CSM, play, account, now=NOW)  # type: ignore[arg-type]  # a UUID
    return [(one.step, one.person and one.person.name, one.texts, one.problem) for one in found]


async def test_every_word_is_shown_and_nothing_is_sent(still: Kit, vendor: Loft) -> None:
    """To each person with their address, about the account, in both branches; a step that reaches nobody says why."""
    steps = [SEND, {"branch": "owner = 'x'", "then": [NOBODY], "otherwise": [CALL]}, {"wait": "1d"}]
    await apply(still, steps)
    account = await add_account(still, Somebody(name="Ada"), Somebody("champion", name=None), Somebody("end_user"))
    found = await said(still, account)
    assert sorted(found[:2], key=str) == [
        (0, "Ada", {"title": "Hello", "user": "u0@Acme"}, None),
        (0, None, {"title": "Hello", "user": "u1@Acme"}, None),
    ]
    assert found[2:] == [
        (2, None, None, "Nobody at the account who may be contacted is sponsor."),
        (3, None, {"task": "Call Acme"}, None),
    ]
    assert (vendor.letters, await count(still, Run)) == ([], 0)


async def test_a_name_that_is_not_there_is_a_problem(still: Kit, vendor: Loft) -> None:
    """What a trigger tells is known when there was one: the newest run's stands in for it."""
    await apply(still, [HELLO])
    account = await add_account(still, Somebody())
    [(_, _, texts, problem)] = await said(still, account)
    assert (texts, "reason" in (problem or "")) == (None, True)


async def test_a_list_is_reached_as_it_was_said(still: Kit, vendor: Loft) -> None:
    """Accounts on which the play is under way are left out; a list that has changed since is refused."""
    await apply(still, [SEND, CALL])
    people = (Somebody(), Somebody("champion", do_not_contact=True), Somebody("end_user"))
    first, *others = [await add_account(still, *people, name=f"A{nth}", owner="kim") for nth in range(3)]
    await add_account(still, Somebody(), name="Other", owner="sam")
    await enrol(still, first)
    wanted = AccountFilter(owners=("kim",))
    async with still.reading() as session:
        found = await service.reach(session, CSM, "win_back", wanted)
    assert (found.accounts, found.under_way, found.people) == (2, 1, 2)
    assert [account.name for account in found.first] == ["A1", "A2"]
    with pytest.raises(Invalid, match="on 2 accounts now, not on 3"):
        async with still.transaction() as session:
            await service.start_many(session, CSM, "win_back", wanted, 3, now=NOW)
    async with still.transaction() as session:
        assert await service.start_many(session, CSM, "win_back", wanted, 2, now=NOW) == 2
    while await service.drain_plays_to_start(still):
        pass
    started = [run for run in await runs(still) if run.occurrence.startswith("hand:")]
    assert sorted(run.account_id for run in started) == sorted(others)
    assert {run.trigger["actor"] for run in started} == {"key:sam"}
    async with still.transaction() as session:
        await service.pause_play(session, Viewer("key:ops", Role.ADMIN), "win_back", now=NOW)
    with pytest.raises(Invalid, match="is paused"):
        async with still.transaction() as session:
            await service.start_many(session, CSM, "win_back", wanted, 0, now=NOW)
