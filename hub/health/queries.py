"""Reading health: the portfolio with its filters, scores at any moment, alerts and the watch list."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.queries import READERS, Account, matches
from hub.health.explain import Cause, ScoreAt, Term
from hub.health.history import Explanation, explain, score_at
from hub.health.model import Alert, AlertStatus, Band, BandOverride, Health, Score, Watch, WatchStatus, WatchStep
from hub.health.section import Indicator, Severity
from hub.health.terms import CapTerm, IndicatorTerm, MeasureTerm, Override, Terms, read_terms
from hub.kit.errors import NotFound
from hub.kit.paging import AnySelect, Order, Page, Slice, among, read_page, read_pages

__all__ = [
    "ALERTS",
    "BY_CHANGE",
    "BY_NAME",
    "BY_SCORE",
    "HISTORY",
    "WATCH_LIST",
    "WATCH_STEPS",
    "AccountFilter",
    "Alert",
    "AlertFilter",
    "AlertStatus",
    "Band",
    "BandOverride",
    "CapTerm",
    "Cause",
    "Explanation",
    "Health",
    "Indicator",
    "IndicatorTerm",
    "MeasureTerm",
    "Override",
    "Score",
    "ScoreAt",
    "Severity",
    "Term",
    "Terms",
    "Watch",
    "WatchFilter",
    "WatchStatus",
    "WatchStep",
    "count_portfolio",
    "read_terms",
    "select_alerts",
    "select_portfolio",
    "select_scores",
    "select_watches",
]

BY_NAME = Order("name", Account.name, Account.id)
BY_SCORE = Order("score", Health.micro_points, Account.id, nullable=True)
BY_CHANGE = Order("change", Health.changed_at, Account.id, nullable=True)
HISTORY = Order("scores", Score.as_of, Score.id, descending=True)
ALERTS = Order("alerts", Alert.opened_at, Alert.id, descending=True)
WATCH_LIST = Order("watch", Watch.entered_at, Watch.id)
WATCH_STEPS = Order("steps", WatchStep.at, WatchStep.id)


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts of the portfolio. All that is given has to hold; an empty tuple restricts nothing.

    The parts `all_of`, `any_of` (at least one of them; None restricts nothing) and `none_of` nest.
    """

    segments: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    bands: tuple[Band, ...] = ()
    owners: tuple[str, ...] = ()
    has_owner: bool | None = None
    search: str | None = None
    watched: bool | None = None
    all_of: tuple[AccountFilter, ...] = ()
    any_of: tuple[AccountFilter, ...] | None = None
    none_of: tuple[AccountFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts (an empty tuple: no restriction)."""

    statuses: tuple[AlertStatus, ...] = ()
    severities: tuple[Severity, ...] = ()
    rules: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    snoozed: bool | None = None


@dataclass(frozen=True, slots=True)
class WatchFilter:
    """Which entries of the watch list; those that have ended only if asked for. `due_by`: whose next action is due."""

    statuses: tuple[WatchStatus, ...] = ()
    owners: tuple[str, ...] = ()
    accounts: tuple[UUID, ...] = ()
    due_by: datetime | None = None
    ended: bool = False


async def portfolio(
    session: AsyncSession, viewer: Viewer, page: Page, order: Order, wanted: AccountFilter
) -> Slice[Account]:
    """A page of the accounts."""
    viewer.require(*READERS)
    return await read_page(session, Account, select_portfolio(wanted), order, page)


async def portfolio_count(session: AsyncSession, viewer: Viewer, wanted: AccountFilter) -> int:
    """How many accounts the filter leaves."""
    viewer.require(*READERS)
    return int((await session.execute(count_portfolio(wanted))).scalar_one())


async def current(session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID]) -> dict[UUID, Health]:
    """The newest health of each account; accounts that were never scored are left out."""
    viewer.require(*READERS)
    found = await session.execute(select(Health).where(among(Health.account_id, account_ids)))
    return {health.account_id: health for health in found.scalars()}


async def scores(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Score]:
    """Scores by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Score).where(among(Score.id, ids)))
    return {score.id: score for score in found.scalars()}


async def scores_at(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], as_of: datetime, known_at: datetime | None
) -> dict[UUID, ScoreAt]:
    """The score of each account worked out for any moment (see `history.score_at`); unknown accounts are left out.

    Cost: a few statements for each account. For the newest scores read `current`.
    """
    viewer.require(*READERS)
    found = {}
    for account_id in account_ids:
        with suppress(NotFound):
            found[account_id] = await score_at(session, account_id, as_of, known_at)
    return found


async def explanations(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], from_at: datetime, to_at: datetime
) -> dict[UUID, Explanation]:
    """Why the score of each account changed between two moments (see `history.explain`); unknown ones are left out.

    Cost: several statements for each account.
    """
    viewer.require(*READERS)
    found = {}
    for account_id in account_ids:
        with suppress(NotFound):
            found[account_id] = await explain(session, account_id, from_at, to_at)
    return found


async def history_of(
    session: AsyncSession,
    viewer: Viewer,
    account_ids: Sequence[UUID],
    page: Page,
    since: datetime | None,
    until: datetime | None,
) -> dict[UUID, Slice[Score]]:
    """A page of each account's scores, the newest first; `since` counts, `until` does not."""
    viewer.require(*READERS)
    return await read_pages(session, Score, account_ids, lambda id_: select_scores(id_, since, until), HISTORY, page)


async def alerts(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Alert]:
    """Alerts by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Alert).where(among(Alert.id, ids)))
    return {alert.id: alert for alert in found.scalars()}


async def all_alerts(session: AsyncSession, viewer: Viewer, page: Page, wanted: AlertFilter) -> Slice[Alert]:
    """A page of the alerts of all accounts, the newest first."""
    viewer.require(*READERS)
    return await read_page(session, Alert, select_alerts(wanted), ALERTS, page)


async def alerts_of(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], page: Page, wanted: AlertFilter
) -> dict[UUID, Slice[Alert]]:
    """A page of each account's alerts, the newest first."""
    viewer.require(*READERS)
    return await read_pages(
        session,
        Alert,
        account_ids,
        lambda id_: select_alerts(wanted).where(Alert.account_id == id_),
        ALERTS,
        page,
    )


async def watches(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Watch]:
    """Entries of the watch list by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Watch).where(among(Watch.id, ids)))
    return {watch.id: watch for watch in found.scalars()}


async def watch_list(session: AsyncSession, viewer: Viewer, page: Page, wanted: WatchFilter) -> Slice[Watch]:
    """A page of the watch list, the account that has been on it longest first."""
    viewer.require(*READERS)
    return await read_page(session, Watch, select_watches(wanted), WATCH_LIST, page)


async def watched(session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID]) -> dict[UUID, Watch]:
    """The entry of each account that is on the watch list now."""
    viewer.require(*READERS)
    found = await session.execute(select(Watch).where(among(Watch.account_id, account_ids), Watch.ended_at.is_(None)))
    return {watch.account_id: watch for watch in found.scalars()}


async def watch_steps(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, list[WatchStep]]:
    """The statuses that each entry of the watch list had, the first first; at most 100 of each."""
    viewer.require(*READERS)
    found = await read_pages(session, WatchStep, ids, _steps_of, WATCH_STEPS, Page(100))
    return {entry_id: steps.rows for entry_id, steps in found.items()}


def _steps_of(watch_id: ColumnElement[UUID]) -> AnySelect:
    return select(WatchStep).where(WatchStep.watch_id == watch_id)


async def overrides(session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID]) -> dict[UUID, BandOverride]:
    """The newest override of each account that nobody has taken back; it may have run out by now (`until`)."""
    viewer.require(*READERS)
    found = await session.execute(
        select(BandOverride).where(among(BandOverride.account_id, account_ids), BandOverride.ended_at.is_(None))
    )
    return {override.account_id: override for override in found.scalars()}


def chosen(wanted: AccountFilter) -> Select[UUID]:
    """The ids of the accounts that the filter leaves, for a statement to go on with."""
    return _portfolio(select(Account.id), wanted)


def select_portfolio(wanted: AccountFilter) -> AnySelect:
    """The accounts that the filter leaves."""
    return _portfolio(select(Account), wanted)


def count_portfolio(wanted: AccountFilter) -> AnySelect:
    """How many they are."""
    return _portfolio(select(func.count()).select_from(Account), wanted)


def select_scores(account_id: ColumnElement[UUID], since: datetime | None, until: datetime | None) -> AnySelect:
    """The scores of an account that were kept between two times; `since` counts, `until` does not."""
    query = select(Score).where(Score.account_id == account_id)
    query = query.where(Score.as_of >= since) if since is not None else query
    return query.where(Score.as_of < until) if until is not None else query


def _portfolio(query: AnySelect, wanted: AccountFilter) -> AnySelect:
    joined = query.join(Health, Health.account_id == Account.id, isouter=True)
    return joined.where(Account.merged_into.is_(None), _holds(wanted))


def _holds(wanted: AccountFilter) -> ColumnElement[bool]:
    """The filter as an expression over Account and Health. What is unknown of an account does not match."""
    conditions: list[ColumnElement[bool]] = [_holds(part) for part in wanted.all_of]
    if wanted.segments:
        conditions.append(among(Health.segment, wanted.segments))
    if wanted.stages:
        conditions.append(among(Health.stage, wanted.stages))
    if wanted.bands:
        conditions.append(among(func.coalesce(Health.band, Band.UNKNOWN.value), wanted.bands))
    if wanted.owners:
        conditions.append(among(Account.owner, wanted.owners))
    if wanted.has_owner is not None:
        conditions.append(Account.owner.is_not(None) if wanted.has_owner else Account.owner.is_(None))
    if wanted.search is not None:
        conditions.append(matches(wanted.search))
    if wanted.watched is not None:
        listed = select(Watch.id).where(Watch.account_id == Account.id, Watch.ended_at.is_(None)).exists()
        conditions.append(listed if wanted.watched else not_(listed))
    if wanted.any_of is not None:
        conditions.append(or_(false(), *(_holds(part) for part in wanted.any_of)))
    conditions.extend(not_(func.coalesce(_holds(part), false())) for part in wanted.none_of)
    return and_(true(), *conditions)


def select_alerts(wanted: AlertFilter) -> AnySelect:
    """The alerts that the filter leaves."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(among(Alert.status, wanted.statuses))
    if wanted.severities:
        conditions.append(among(Alert.severity, wanted.severities))
    if wanted.rules:
        conditions.append(among(Alert.rule, wanted.rules))
    if wanted.owners:
        conditions.append(among(Alert.owner, wanted.owners))
    if wanted.snoozed is not None:
        conditions.append(Alert.snoozed_until.is_not(None) if wanted.snoozed else Alert.snoozed_until.is_(None))
    return select(Alert).where(*conditions)


def select_watches(wanted: WatchFilter) -> AnySelect:
    """The entries of the watch list that the filter leaves."""
    query = select(Watch)
    if not wanted.ended:
        query = query.where(Watch.ended_at.is_(None))
    if wanted.statuses:
        query = query.where(among(Watch.status, wanted.statuses))
    if wanted.owners:
        query = query.where(among(Watch.owner, wanted.owners))
    if wanted.accounts:
        query = query.where(among(Watch.account_id, wanted.accounts))
    if wanted.due_by is not None:
        query = query.where(Watch.next_action_due <= wanted.due_by)
    return query
