"""What Intercom's contacts, companies and conversations mean on the account timeline.

A contact's place is not an account: it belongs to the company that the contact names. Conversations happen at their
contact's place, and also carry the conversation's own key. When contacts are merged, the loser's place and the
survivor's share conversations, and by that key the hub finds that both are one: a merge itself names only the survivor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hub import sdk
from hub_intercom.happenings import OPENS
from hub_intercom.models import Author, Company, Contact, Happening, Merge, Part, Participant, moment

CONTACT = "intercom.contact"
CONVERSATION = "intercom.conversation"
COMPANY = "intercom.company"

CONTACTS = frozenset({"user", "lead", "contact"})
"""Types of authors who are the customer's people."""

EMITS_OF_HAPPENING = frozenset(
    {
        "conversation.created",
        "conversation.replied",
        "conversation.answered",
        "conversation.assigned",
        "conversation.closed",
        "conversation.reopened",
        "conversation.snoozed",
        "conversation.rated",
        "conversation.remarked",
    }
)


def of_contact(contact: Contact) -> Iterator[sdk.Event]:
    """`person.identified`: what is known of a contact, as of its last change."""
    yield sdk.Event(
        kind="person.identified",
        occurred_at=moment(contact.updated_at),
        account=sdk.Account(f"contact:{contact.id}", tuple(_place_keys(contact))),
        people=(_person(contact),),
        attributes={"role": contact.role} if contact.role else {},
    )


def of_company(company: Company) -> Iterator[sdk.Event]:
    """`account.identified`: what is known of a company, as of its last change."""
    keys = [sdk.keys.external(COMPANY, company.id)]
    if company.company_id:
        keys.append(sdk.keys.group(company.company_id))
    if company.domain:
        keys.append(sdk.keys.domain(company.domain))
    known = {
        "name": company.name,
        "domain": company.domain,
        "plan": company.plan.name if company.plan else None,
        "employees": company.size,
        "industry": company.industry,
    }
    profile = {name: value for name, value in known.items() if value}
    at = moment(company.updated_at)
    yield sdk.Event(
        kind="account.identified",
        occurred_at=at,
        account=sdk.Account(f"company:{company.id}", tuple(keys), profile, at if profile else None),
        subject=sdk.Subject("account", f"company:{company.id}", attributes=profile),
    )


def of_merge(merge: Merge) -> Iterator[sdk.Event]:
    """`person.aliased`: whoever else had these conversations was this contact."""
    links = tuple(sdk.Key(CONVERSATION, conversation) for conversation in merge.conversations)
    person = _person(merge.contact)
    yield sdk.Event(
        kind="person.aliased",
        occurred_at=moment(merge.contact.updated_at),
        account=sdk.Account(f"contact:{merge.contact.id}", (*_place_keys(merge.contact), *links)),
        people=(sdk.Person(person.place, (*person.keys, *links), person.profile, person.profile_at),),
    )


def of_happening(happening: Happening) -> Iterable[sdk.Event]:
    """The events of one part or rating; what says nothing about the customer (a note, a tag) gives none."""
    if not happening.contacts:
        return ()
    if happening.rating is not None:
        return _of_rating(happening)
    assert happening.part is not None  # noqa: S101  # the model has one of the two
    return [_of_part(happening, happening.part, kind) for kind in _kinds(happening.part)]


def _kinds(part: Part) -> Iterator[str]:
    """What a part is; a message may close, reopen or assign the conversation as it is sent."""
    theirs = part.author is not None and part.author.type in CONTACTS
    match part.part_type:
        case "source":
            yield "conversation.created"
            return
        case "note":
            return
        case "close":
            yield "conversation.closed"
        case "snoozed":
            yield "conversation.snoozed"
        case "assignment":
            yield "conversation.assigned"
        case kind if kind in OPENS:
            yield "conversation.reopened"
        case kind if kind not in ("comment", "quick_reply"):
            return
    if part.body or part.part_type in ("comment", "quick_reply"):
        yield "conversation.replied" if theirs else "conversation.answered"


def _of_part(happening: Happening, part: Part, kind: str) -> sdk.Event:
    author = part.author
    by = None if author is None else "contact" if author.type in CONTACTS else author.type
    return sdk.Event(
        kind=kind,
        occurred_at=moment(part.created_at),
        account=_account(happening),
        people=_people(happening, author),
        subject=_subject(happening),
        attributes={"by": by} if by else {},
        title=happening.subject or None,
        natural_key=f"{happening.conversation}:{part.id}",
    )


def _of_rating(happening: Happening) -> Iterator[sdk.Event]:
    rating = happening.rating
    assert rating is not None  # noqa: S101  # asked for by of_happening
    facts: dict[str, Any] = {
        "occurred_at": moment(rating.created_at),
        "account": _account(happening),
        "people": tuple(_participant(happening, one) for one in happening.contacts[:1]),
        "subject": sdk.Subject("conversation", happening.conversation, happening.state),
        "natural_key": f"{happening.conversation}:rating:{rating.created_at}",
    }
    yield sdk.Event(kind="conversation.rated", value=float(rating.rating), **facts)
    if rating.remark:
        yield sdk.Event(kind="conversation.remarked", attributes={"remark": rating.remark}, **facts)


def _subject(happening: Happening) -> sdk.Subject:
    attributes = {"channel": happening.channel} if happening.channel else {}
    return sdk.Subject("conversation", happening.conversation, happening.state, attributes)


def _account(happening: Happening) -> sdk.Account:
    """The place of the contact who began it."""
    first = happening.contacts[0]
    return sdk.Account(f"contact:{first.id}", (*_contact_keys(first), *_links(happening)))


def _links(happening: Happening) -> tuple[sdk.Key, ...]:
    """The conversation's own key, where it has one contact: several would become one by it."""
    return (sdk.Key(CONVERSATION, happening.conversation),) if len(happening.contacts) == 1 else ()


def _people(happening: Happening, author: Author | None) -> tuple[sdk.Person, ...]:
    """The contact who wrote; of one who is no longer among the contacts nothing is known but the id."""
    if author is None or author.type not in CONTACTS:
        return ()
    for participant in happening.contacts:
        if participant.id == author.id:
            return (_participant(happening, participant),)
    return (sdk.Person(f"contact:{author.id}", (sdk.keys.external(CONTACT, author.id),)),)


def _participant(happening: Happening, participant: Participant) -> sdk.Person:
    keys = [sdk.keys.external(CONTACT, participant.id), *_links(happening)]
    if participant.external_id:
        keys.append(sdk.keys.user(participant.external_id))
    return sdk.Person(f"contact:{participant.id}", tuple(keys))


def _contact_keys(contact: Contact | Participant) -> Iterator[sdk.Key]:
    """That it is this contact, and the product's user of that id: both tie places together and found no account."""
    yield sdk.Key(CONTACT, contact.id)
    if contact.external_id:
        yield sdk.keys.user(contact.external_id)


def _place_keys(contact: Contact) -> Iterator[sdk.Key]:
    yield from _contact_keys(contact)
    for company in contact.companies.data if contact.companies else ():
        yield sdk.keys.member_of(sdk.keys.external(COMPANY, company.id))
    if contact.email and "@" in contact.email:
        yield sdk.keys.member_of(sdk.keys.domain(contact.email.rpartition("@")[2]))


def _person(contact: Contact) -> sdk.Person:
    keys = [sdk.keys.external(CONTACT, contact.id)]
    if contact.external_id:
        keys.append(sdk.keys.user(contact.external_id))
    if contact.email:
        keys.append(sdk.keys.email(contact.email))
    known = {"name": contact.name, "email": contact.email}
    profile = {name: value for name, value in known.items() if value}
    return sdk.Person(f"contact:{contact.id}", tuple(keys), profile, moment(contact.updated_at) if profile else None)
