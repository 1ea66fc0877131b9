"""What each further kind of step does: branches, approvals, notices, facts, and waits that a rule may end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.access.service import SYSTEM
from hub.accounts.model import Account, AccountKey, SourceAccount
from hub.kit.clock import FrozenClock
from hub.kit.errors import Invalid
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.plays import service
from hub.plays.model import RunStatus, StepStatus, TaskStatus

from .scene import CALL, NOW, add_account, apply, drain, enrol, events, look, own, runs, steps, tasks, topics

FINALLY = {"notify": "{{ account.name }} is through"}


async def begin(
    kit: Kit, play_steps: list[dict[str, Any]], owner: str | None = "sam", *, known: bool = False, **more: Any
) -> UUID:
    """A run of these steps on an account of this owner, moved on as far as it goes; its id. `known`: a vendor knows the
    account."""
    await apply(kit, [CALL], tried={"trigger": {"by_hand": True}, "steps": play_steps, **more})
    account = await add_account(kit, owner=owner)
    if known:
        await heard_of(kit, account)
    run = await enrol(kit, account, play="tried")
    assert run is not None
    await drain(kit)
    return run.id


async def heard_of(kit: Kit, account: UUID) -> None:
    """A source account of a vendor that founds the account."""
    async with kit.transaction() as session:
        source = SourceAccount(
            id=new_id(),
            connection_id=new_id(),
            place="acme",
            account_id=account,
            profile={"name": "Acme", "owner": "sam"},
            profile_times={"name": NOW.isoformat(), "owner": NOW.isoformat()},
            first_seen_at=NOW,
        )
        session.add(source)
        await session.flush()
        session.add(
            AccountKey(
                kind="external:crm.account", value="1", relation="is", source_account_id=source.id, asserted_at=NOW
            )
        )


async def said(kit: Kit) -> list[str]:
    """What our own people were told, sorted."""
    return sorted(str(event.title) for event in (await events(kit)).get("notice.given", []))


@pytest.mark.parametrize(
    ("owner", "told", "left_out"),
    [("sam", ["first", "second", "third"], [4, 5]), ("kim", ["other", "third"], [1, 2, 3])],
)
async def test_a_branch_takes_one_way(still: Kit, owner: str, told: list[str], left_out: list[int]) -> None:
    """The steps of the other way are left out and say so; behind the branch both ways meet."""
    inner = {"branch": "days_known >= 0", "then": [{"notify": "second"}]}
    branch = {
        "branch": "owner = 'sam'",
        "then": [{"notify": "first"}, inner],
        "otherwise": [{"notify": "other"}, {"branch": "owner = 'nobody'", "then": [{"notify": "never"}]}],
    }
    run_id = await begin(still, [branch, {"notify": "third"}], owner)
    found = await steps(still, run_id)
    assert (await runs(still))[0].status == RunStatus.DONE
    assert await said(still) == told
    assert found[0].result == {"rule": "owner = 'sam'", "holds": owner == "sam", "values": {"owner": owner}}
    skipped = [step.index for step in found if step.problem == "The branch went the other way."]
    assert [index for index in skipped if index in left_out] == left_out


@pytest.mark.parametrize("approved", [True, False])
async def test_an_approval_lets_the_run_go_on_or_ends_it(still: Kit, approved: bool) -> None:
    """The first answer stands, and a yes or no is not a task to be done."""
    await begin(still, [{"approve": "Write to {{ account.name }}?"}, FINALLY])
    [asked] = await tasks(still)
    assert (asked.title, asked.kind, asked.owner) == ("Write to Acme?", "approval", "sam")
    async with still.transaction() as session:
        with pytest.raises(Invalid, match="asks for a yes or no"):
            await service.complete_task(session, SYSTEM, asked.id, "done", now=NOW)
        await service.decide_approval(session, SYSTEM, asked.id, approved=approved, comment="well", now=NOW)
        again = await service.decide_approval(session, SYSTEM, asked.id, approved=not approved, comment=None, now=NOW)
    assert (again.approved, again.outcome) == (approved, "well")
    await drain(still)
    [run] = await runs(still)
    assert run.status == RunStatus.DONE
    assert await said(still) == (["Acme is through"] if approved else [])
    assert run.ending == (None if approved else {"reason": "not_approved", "step": 0})


@pytest.mark.parametrize(("default", "told"), [("go_on", ["Acme is through"]), ("end", [])])
async def test_without_an_answer_the_default_counts(
    still: Kit, clock: FrozenClock, default: str, told: list[str]
) -> None:
    """At the moment it is due, not before; the question is withdrawn."""
    await begin(still, [{"approve": "Well?", "due": "2d", "default": default}, FINALLY])
    clock.advance(timedelta(days=2) - timedelta(seconds=1))
    await drain(still)
    assert [task.status for task in await tasks(still)] == [TaskStatus.OPEN]
    clock.advance(timedelta(seconds=1))
    await drain(still)
    assert await said(still) == told
    [asked] = await tasks(still)
    assert (asked.status, asked.approved) == (TaskStatus.CANCELED, default == "go_on")


async def test_our_own_people_are_told_and_facts_are_noted(still: Kit) -> None:
    """A notice is a fact that others can carry on; a noted fact is the account's."""
    run_id = await begin(
        still, [{"notify": "{{ account.name }} is in trouble"}, {"set": {"tone": "friendly", "level": 2}}], known=True
    )
    notice, note = await steps(still, run_id)
    assert (notice.status, notice.result) == (StepStatus.DONE, {"to": "sam", "said": "Acme is in trouble"})
    assert "notice.given" in await topics(still)
    assert (note.status, note.result) == (StepStatus.DONE, {"set": {"tone": "friendly", "level": 2}})
    async with still.reading() as session:
        account = await session.get_one(Account, (await runs(still))[0].account_id)
    assert account.facts == {"tone": "friendly", "level": 2}


async def test_a_wait_ends_when_its_rule_holds(still: Kit, clock: FrozenClock) -> None:
    """At the next look at the account; the step says why."""
    run_id = await begin(still, [{"wait": "14d", "until": "owner = 'kim'"}, FINALLY])
    account = (await runs(still))[0].account_id
    clock.advance(timedelta(days=3))
    await look(still, account)
    await drain(still)
    assert await said(still) == []
    await own(still, account, "kim")
    await look(still, account)
    await drain(still)
    assert await said(still) == ["Acme is through"]
    [waited, _] = await steps(still, run_id)
    assert waited.result == {"rule": "owner = 'kim'", "holds": True, "values": {"owner": "kim"}}


async def test_a_wait_has_its_limit_and_does_not_begin_in_vain(still: Kit, clock: FrozenClock) -> None:
    """Without the rule it lasts as long as it says; when the rule holds already, not at all."""
    await begin(still, [{"wait": "14d", "until": "owner = 'kim'"}, FINALLY])
    clock.advance(timedelta(days=14))
    await drain(still)
    assert await said(still) == ["Acme is through"]
    run = await enrol(still, await add_account(still, name="Other", owner="kim"), play="tried")
    assert run is not None
    await drain(still)
    assert await said(still) == ["Acme is through", "Other is through"]


async def test_an_exit_rule_ends_a_run_wherever_it_stands(still: Kit) -> None:
    """What it has not done it will not do, and nobody goes on working for it."""
    run_id = await begin(still, [CALL, FINALLY], exit="owner = 'kim'")
    account = (await runs(still))[0].account_id
    await look(still, account)
    await own(still, account, "kim")
    await look(still, account)
    await drain(still)
    [run] = await runs(still)
    assert (run.status, run.ending) == (
        RunStatus.DONE,
        {"reason": "exit", "rule": "owner = 'kim'", "holds": True, "values": {"owner": "kim"}},
    )
    assert [step.status for step in await steps(still, run_id)] == [StepStatus.SKIPPED] * 2
    assert [task.status for task in await tasks(still)] == [TaskStatus.CANCELED]
    assert await said(still) == []


async def test_a_rule_that_cannot_be_asked_any_more_is_held_for_a_person(still: Kit) -> None:
    """The measure was taken out of the blueprint: the step says so, and a person may go on without it."""
    run_id = await begin(still, [{"wait": "1h"}, {"branch": "logins_28d > 3", "then": [FINALLY]}, FINALLY])
    still.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]  # the clock of a test
    await drain(still)
    [run] = await runs(still)
    branch = (await steps(still, run_id))[1]
    assert (run.status, branch.status) == (RunStatus.HELD, StepStatus.FAILED)
    assert "cannot be asked any more" in (branch.problem or "")
    async with still.transaction() as session:
        await service.skip_step(session, SYSTEM, run_id, now=still.clock.now())
    await drain(still)
    assert (await runs(still))[0].status == RunStatus.DONE
