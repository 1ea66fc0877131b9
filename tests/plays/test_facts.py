"""What an action's input may say of an account beside its name: its ids at vendors, and its health."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from hub.health.model import Health
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.plays.model import RunStatus
from hub.plays.section import Plays
from hub.plays.templates import check_template

from .scene import NOW, add_account, apply, drain, enrol, runs, steps
from .test_kinds_of_steps import heard_of
from .vendor import Loft

WRITE = {
    "action": "pigeon.send",
    "input": {
        "user": "{{ account.external['crm.account'] }}",
        "title": "{{ account.health.band }}",
        "body": "{{ account.health.score or 'none' }}",
    },
}


async def scored(kit: Kit, account: UUID, micro_points: int | None, band: str) -> None:
    """The account's newest health."""
    async with kit.transaction() as session:
        session.add(
            Health(
                account_id=account,
                score_id=new_id(),
                micro_points=micro_points,
                coverage_ppm=1_000_000,
                band=band,
                segment="smb",
                stage="",
                scored_at=NOW,
                changed_at=NOW,
                digest=b"",
            )
        )


@pytest.mark.parametrize(("points", "band", "body"), [(61_540_000, "yellow", "61.5"), (None, "unknown", "none")])
async def test_health_is_written_to_the_record_at_a_vendor(
    still: Kit, vendor: Loft, points: int | None, band: str, body: str
) -> None:
    """The account's id there, its band, and its score to one decimal."""
    await apply(still, [WRITE])
    account = await add_account(still)
    await heard_of(still, account)
    await scored(still, account, points, band)
    await enrol(still, account)
    await drain(still)
    assert [(one["user"], one["title"], one["body"]) for one in vendor.letters] == [("1", band, body)]


async def test_who_is_not_known_there_is_not_written_to(still: Kit, vendor: Loft) -> None:
    """The step fails and says what is missing."""
    await apply(still, [WRITE])
    await enrol(still, await add_account(still))
    await drain(still)
    [run] = await runs(still)
    [step] = await steps(still, run.id)
    assert run.status == RunStatus.HELD
    assert "crm.account" in (step.problem or "")
    assert vendor.letters == []


@pytest.mark.parametrize(
    ("text", "facts", "complaint"),
    [
        ("{{ account.health.score }}", True, "may be unknown"),
        ("{{ account.health.bnd }}", True, "there is no 'bnd'"),
        ("{{ account.external['crm.account'] }}", False, "there is no 'external'"),
    ],
)
def test_a_mistake_is_found_before_anything_is_written(text: str, facts: bool, complaint: str) -> None:
    """An account may have no score; and texts for people know nothing of vendors' ids."""
    with pytest.raises(ValueError, match=complaint):
        check_template(text, facts=facts)


def test_the_guide_shows_a_play_that_is_one() -> None:
    """Salesforce's README: health that sales sees."""
    guide = (Path(__file__).parents[2] / "plugins" / "salesforce" / "README.md").read_text()
    [shown] = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert "health_in_salesforce" in Plays.model_validate(yaml.safe_load(shown)["plays"]).root
