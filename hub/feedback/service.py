"""Recording what customers say: once for each idempotency key, on the account's timeline, and told to all readers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts import queries as accounts
from hub.feedback.model import Feedback, FeedbackKind, FeedbackStatus
from hub.kit import outbox
from hub.kit.errors import Invalid, NotFound
from hub.kit.ids import new_id
from hub.timeline import service as timeline

RECORDED = "feedback.recorded"
LONGEST_TEXT = 10_000
LONGEST_THEME = 200
TITLE_LENGTH = 120


async def record(
    session: AsyncSession,
    viewer: Viewer,
    account_id: UUID,
    text: str,
    kind: FeedbackKind,
    person_id: UUID | None,
    theme: str | None,
    idempotency_key: str | None,
    now: datetime,
) -> Feedback:
    """Keep one thing that somebody at the account said.

    The same key from the same viewer gives back what was recorded first, and changes nothing. Raises `NotFound` for an
    unknown account or person, `Invalid` for a text that is empty or too long, for a person of another account, and for
    a key that was used for something else.
    """
    viewer.require(Role.CSM)
    text, theme = _checked(text, theme)
    account = (await accounts.accounts(session, viewer, [account_id])).get(account_id)
    if account is None:
        raise NotFound("There is no account with this id.")
    if person_id is not None:
        await _require_person_at(session, viewer, person_id, account.id)
    key = f"{viewer.actor}:{idempotency_key}" if idempotency_key else None
    added = await session.execute(
        insert(Feedback)
        .values(
            id=new_id(),
            account_id=account.id,
            person_id=person_id,
            kind=kind,
            theme=theme,
            text=text,
            status=FeedbackStatus.NEW,
            recorded_at=now,
            recorded_by=viewer.actor,
            idempotency_key=key,
        )
        .on_conflict_do_nothing(index_elements=["idempotency_key"])
        .returning(Feedback)
    )
    feedback = added.scalar_one_or_none()
    if feedback is None:
        return await _recorded_before(session, key, account.id, text)
    await _tell(session, viewer, feedback, now)
    return feedback


def _checked(text: str, theme: str | None) -> tuple[str, str | None]:
    text, theme = text.strip(), (theme or "").strip() or None
    if not text:
        raise Invalid("The text is empty.", path=("text",))
    if "\x00" in text or "\x00" in (theme or ""):
        raise Invalid("A text cannot contain NUL characters.", path=("text",))
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"The text has more than {LONGEST_TEXT} characters.", path=("text",))
    if theme is not None and len(theme) > LONGEST_THEME:
        raise Invalid(f"The theme has more than {LONGEST_THEME} characters.", path=("theme",))
    return text, theme


async def _require_person_at(session: AsyncSession, viewer: Viewer, person_id: UUID, account_id: UUID) -> None:
    person = (await accounts.people(session, viewer, [person_id])).get(person_id)
    if person is None:
        raise NotFound("There is no person with this id.")
    if person.account_id != account_id:
        raise Invalid("The person belongs to another account.", path=("person",))


async def _recorded_before(session: AsyncSession, key: str | None, account_id: UUID, text: str) -> Feedback:
    first = (await session.execute(select(Feedback).where(Feedback.idempotency_key == key))).scalar_one()
    if first.account_id != account_id or first.text != text:
        raise Invalid(
            "The idempotency key was used for other feedback.",
            remedy="Make a new key for each thing said.",
            path=("idempotencyKey",),
        )
    return first


async def _tell(session: AsyncSession, viewer: Viewer, feedback: Feedback, now: datetime) -> None:
    title = feedback.text if len(feedback.text) <= TITLE_LENGTH else f"{feedback.text[: TITLE_LENGTH - 1]}…"
    await timeline.append_fact(
        session,
        feedback.account_id,
        RECORDED,
        occurred_at=now,
        natural_key=f"feedback:{feedback.id}",
        now=now,
        title=title,
        attributes={"feedback_id": str(feedback.id), "kind": feedback.kind, "theme": feedback.theme},
    )
    await outbox.append(
        session,
        RECORDED,
        str(feedback.account_id),
        {"account_id": str(feedback.account_id), "feedback_id": str(feedback.id), "kind": feedback.kind},
        now=now,
    )
    await audit(session, viewer, RECORDED, f"feedback:{feedback.id}", {"account_id": str(feedback.account_id)}, now=now)
