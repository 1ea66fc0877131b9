"""Overriding a band: a person knows more than the measures do, says so with a reason, and until when.

The score is not touched, and the computed band stays beside the one in effect. The account is scored again at once, and
once more when the override ends, so that whatever follows a band (alerts, plays, the watch list) follows this one too.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts.model import Account
from hub.accounts.service import mark_changed
from hub.health.model import BandOverride
from hub.health.moments import override_ended, remember_override
from hub.health.vocabulary import Band
from hub.journeys.telling import Told, tell
from hub.kit.errors import Invalid, NotFound

LONGEST: Final = timedelta(days=366)
LONGEST_REASON: Final = 1_000


async def override_band(
    session: AsyncSession,
    viewer: Viewer,
    account_id: UUID,
    band: Band,
    reason: str,
    until: datetime,
    now: datetime,
) -> BandOverride:
    """Put a band into effect whatever the score says, until a moment at most a year ahead; replaces an earlier one.

    Raises `NotAllowed` (it takes a csm or an admin), `NotFound`, and `Invalid` for the band `unknown`, a reason that is
    empty or longer than 1,000 characters, and a moment that has passed or is too far away.
    """
    viewer.require(Role.CSM)
    reason = reason.strip()
    _check(band, reason, until, now)
    await _require_living(session, account_id)
    told = await _end(session, viewer, account_id, now)
    made = BandOverride(account_id=account_id, band=band, reason=reason, made_by=viewer.actor, made_at=now, until=until)
    session.add(made)
    await session.flush()
    details = {"override_id": str(made.id), "band": band.value, "reason": reason, "until": until.isoformat()}
    await audit(session, viewer, "band.overridden", f"account:{account_id}", details, now=now)
    facts = {**details, "by": viewer.actor}
    title = f"The band was overridden as {band}: {reason}"
    natural_key = f"band.overridden:{made.id}"
    told.append(Told("band.overridden", str(account_id), facts, natural_key, now, title, facts))
    await tell(session, told, now)
    await remember_override(session, made)
    await mark_changed(session, [account_id], now)
    return made


async def end_override(session: AsyncSession, viewer: Viewer, account_id: UUID, now: datetime) -> None:
    """Take back the override of an account; where there is none, nothing changes.

    Raises `NotAllowed` (it takes a csm or an admin), and `NotFound`.
    """
    viewer.require(Role.CSM)
    await _require_living(session, account_id)
    if told := await _end(session, viewer, account_id, now):
        await audit(session, viewer, "band.override_ended", f"account:{account_id}", {}, now=now)
        await tell(session, told, now)
        await mark_changed(session, [account_id], now)


async def _require_living(session: AsyncSession, account_id: UUID) -> None:
    living = select(Account.id).where(Account.id == account_id, Account.merged_into.is_(None)).with_for_update()
    if (await session.execute(living)).first() is None:
        raise NotFound("There is no such account, or it was merged into another.")


async def _end(session: AsyncSession, viewer: Viewer, account_id: UUID, now: datetime) -> list[Told]:
    ended = await session.execute(
        update(BandOverride)
        .where(BandOverride.account_id == account_id, BandOverride.ended_at.is_(None))
        .values(ended_at=now, ended_by=viewer.actor)
        .returning(BandOverride.id, BandOverride.band)
    )
    return [override_ended(id_, account_id, band, viewer.actor, now) for id_, band in ended]


def _check(band: Band, reason: str, until: datetime, now: datetime) -> None:
    if band is Band.UNKNOWN:
        raise Invalid(
            "A person cannot make a band unknown.", remedy="Choose red, yellow, green or purple.", path=("band",)
        )
    if not reason or len(reason) > LONGEST_REASON or "\x00" in reason:
        raise Invalid(f"Give a reason of 1 to {LONGEST_REASON:,} characters.", path=("reason",))
    if until <= now:
        raise Invalid("The override would have ended already.", remedy="Give a later moment.", path=("until",))
    if until > now + LONGEST:
        raise Invalid("An override lasts a year at most.", remedy="Give an earlier moment.", path=("until",))
