"""Identity keys, strongest first. A key says "this is the same one"; a membership says "belongs to that one"."""

from __future__ import annotations

from hub.sdk.events import Key, Relation

DOMAIN = "domain"
EMAIL = "email"
GROUP = "segment.group"
USER = "segment.user"


def external(kind: str, value: str) -> Key:
    """A vendor's own id, e.g. `external("stripe.customer", "cus_1")`: strong."""
    return Key(f"external:{kind}", value)


def group(value: str) -> Key:
    """The product's own account id, as Segment's `group` call carries it: strong."""
    return Key(GROUP, value)


def user(value: str) -> Key:
    """The product's own user id, as Segment's calls carry it: strong for a person.

    On a place it says "the same user's events wait here", which joins places and makes no account by itself.
    """
    return Key(USER, value)


def domain(value: str) -> Key:
    """A company's internet domain: weak, and ignored for free-mail providers."""
    return Key(DOMAIN, value.strip().lower().removeprefix("www."))


def email(value: str) -> Key:
    """A person's e-mail address, compared in lower case: strong for a person, nothing for an account."""
    return Key(EMAIL, value.strip().lower())


def below(key: Key) -> Key:
    """The account that has this stands below the one that *is* `key`, e.g. a subsidiary below its holding."""
    return Key(key.kind, key.value, Relation.BELOW)


def member_of(key: Key) -> Key:
    """The one who has this belongs to the one who *is* `key`, e.g. a user to a group."""
    return Key(key.kind, key.value, Relation.MEMBER)
