"""Workspace: what an Intercom workspace holds, and what can happen in it.

Each thing that happens changes the workspace and gives a `Happened`, from which a notification is made. A merge moves
the loser's conversations to the survivor and takes the loser away: nothing of Intercom's names it afterwards.
"""

from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Any, Final

from hub.sandbox.chance import seeded
from hub.sandbox.names import Zone

ADMIN: Final = "5017691"
"""The one teammate who answers."""

BOT: Final = "5017690"


@dataclass(frozen=True, slots=True)
class Company:
    """A company; `remote` is the id that the product gave it (Intercom: `company_id`). Times are unix seconds."""

    id: str
    remote: str
    name: str
    website: str
    industry: str
    size: int
    plan: str
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Contact:
    """A user (with the product's id as `external`) or a lead, at the companies of these ids."""

    id: str
    role: str
    external: str | None
    email: str | None
    name: str | None
    companies: tuple[str, ...]
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Part:
    """Something that happened in a conversation; `author` is (type, id)."""

    id: str
    kind: str
    at: int
    author: tuple[str, str]
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """What a contact thought of a conversation: 1–5."""

    stars: int
    at: int
    contact: str
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, as it is now."""

    id: str
    contacts: tuple[str, ...]
    author: tuple[str, str]
    subject: str
    body: str
    created: int
    updated: int
    state: str = "open"
    parts: tuple[Part, ...] = ()
    rating: Rating | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """What a notification tells: the topic, the thing as it then was, and the one part that is new."""

    id: str
    topic: str
    at: int
    thing: Contact | Company | Conversation
    part: Part | None = None


_STATES: Final = {"close": "closed", "open": "open", "snoozed": "snoozed"}


@dataclass(slots=True)
class Workspace:
    """One workspace; `zone` decides where its days begin. `messages` are those that were sent through the API."""

    id: str
    zone: Zone
    seed: int = 0
    contacts: dict[str, Contact] = field(default_factory=dict)
    companies: dict[str, Company] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    _rng: Random = field(init=False)
    _numbers: "count[int]" = field(init=False)

    def __post_init__(self) -> None:
        self._rng = seeded(self.seed, "intercom", self.id)
        self._numbers = count(471_000)

    def new_id(self) -> str:
        """An id of a contact or company: 24 hex digits, in no order."""
        return f"{self._rng.getrandbits(96):024x}"

    def number(self) -> str:
        """An id of a conversation, part or message: a growing number."""
        return str(next(self._numbers))

    def add_company(self, at: int, **facts: Any) -> Happened:
        company = Company(id=self.new_id(), created=at, updated=at, **facts)
        self.companies[company.id] = company
        return self._happened("company.created", at, company)

    def add_contact(self, at: int, **facts: Any) -> Happened:
        contact = Contact(id=self.new_id(), created=at, updated=at, **facts)
        self.contacts[contact.id] = contact
        return self._happened(f"contact.{contact.role}.created", at, contact)

    def change_contact(self, contact_id: str, at: int, **changed: Any) -> Happened:
        contact = self.contacts[contact_id] = replace(self.contacts[contact_id], updated=at, **changed)
        return self._happened(f"contact.{contact.role}.updated", at, contact)

    def delete_contact(self, contact_id: str, at: int) -> Happened:
        return self._happened("contact.deleted", at, self.contacts.pop(contact_id))

    def merge(self, lead: str, into: str, at: int) -> Happened:
        """A lead turned out to be a user: its conversations are the user's now, and it never was."""
        del self.contacts[lead]
        for conversation in self.conversations.values():
            if lead in conversation.contacts:
                contacts = tuple(dict.fromkeys(into if one == lead else one for one in conversation.contacts))
                author = _moved(conversation.author, lead, into)
                parts = tuple(replace(part, author=_moved(part.author, lead, into)) for part in conversation.parts)
                moved = replace(conversation, contacts=contacts, author=author, parts=parts)
                self.conversations[conversation.id] = moved
        survivor = self.contacts[into] = replace(self.contacts[into], updated=at)
        return self._happened("contact.merged", at, survivor)

    def begin(self, contact_id: str, at: int, subject: str, body: str) -> Happened:
        """A contact writes for the first time."""
        author = (self.contacts[contact_id].role, contact_id)
        conversation = Conversation(self.number(), (contact_id,), author, subject, body, at, at)
        self.conversations[conversation.id] = conversation
        return self._happened("conversation.user.created", at, conversation)

    def reply(self, conversation_id: str, at: int, body: str, *, admin: bool = False) -> Happened:
        """Somebody answers; a contact's answer opens a closed conversation again."""
        conversation = self.conversations[conversation_id]
        contact = conversation.contacts[0]
        author = ("admin", ADMIN) if admin else (self.contacts[contact].role, contact)
        kind = "open" if not admin and conversation.state == "closed" else "comment"
        return self._part(conversation, f"{'admin' if admin else 'user'}.replied", at, kind, author, body)

    def close(self, conversation_id: str, at: int) -> Happened:
        return self._part(self.conversations[conversation_id], "admin.closed", at, "close", ("admin", ADMIN))

    def note(self, conversation_id: str, at: int, body: str) -> Happened:
        """What only teammates see."""
        return self._part(self.conversations[conversation_id], "admin.noted", at, "note", ("admin", ADMIN), body)

    def rate(self, conversation_id: str, at: int, stars: int, remark: str | None = None) -> Happened:
        conversation = self.conversations[conversation_id]
        rating = Rating(stars, at, conversation.contacts[0], remark)
        rated = self.conversations[conversation_id] = replace(conversation, rating=rating, updated=at)
        return self._happened("conversation.rating.added", at, rated)

    def _part(
        self, conversation: Conversation, topic: str, at: int, kind: str, author: tuple[str, str], body: str = ""
    ) -> Happened:
        part = Part(self.number(), kind, at, author, body or None)
        changed = replace(
            conversation,
            parts=(*conversation.parts, part),
            state=_STATES.get(kind, conversation.state),
            updated=at,
        )
        self.conversations[conversation.id] = changed
        return self._happened(f"conversation.{topic}", at, changed, part)

    def _happened(
        self, topic: str, at: int, thing: Contact | Company | Conversation, part: Part | None = None
    ) -> Happened:
        return Happened(f"notif_{self._rng.getrandbits(96):024x}", topic, at, thing, part)


def _moved(author: tuple[str, str], lead: str, into: str) -> tuple[str, str]:
    return ("user", into) if author[1] == lead else author
