"""Ids of records: three characters for the object, twelve for the record, and three that tell the case of the others.

The last three let programs that confuse `a` and `A` still tell records apart: one character for each five before it,
whose bits say which of the five are upper case.
Source: https://help.salesforce.com/s/articleView?id=000385585
"""

from random import Random
from string import ascii_letters, ascii_uppercase, digits
from typing import Final

PREFIXES: Final = {
    "Account": "001",
    "Contact": "003",
    "User": "005",
    "Opportunity": "006",
    "OpportunityHistory": "008",
    "OpportunityContactRole": "00K",
    "Organization": "00D",
    "Task": "00T",
    "Event": "00U",
    "Case": "500",
    "Contract": "800",
    "QueryLocator": "01g",
    "QueryJob": "750",
    "Notification": "04l",
}
_SUFFIX: Final = ascii_uppercase + "012345"


def whole(short: str) -> str:
    """The 18 characters of an id of 15."""
    chunks = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(_SUFFIX[sum(1 << bit for bit, one in enumerate(chunk) if one.isupper())] for chunk in chunks)


def make_id(rng: Random, kind: str) -> str:
    """A new id of this kind."""
    return whole(PREFIXES[kind] + "".join(rng.choices(ascii_letters + digits, k=12)))
