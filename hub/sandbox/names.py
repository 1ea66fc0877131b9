"""Names: the words that the invented companies, people and features are made of.

Every name is plainly invented and every company's domain ends in `.example`, which is reserved, so nothing
the sandbox sends can reach or be mistaken for somebody real. A few people write from free-mail addresses,
because a hub that takes a free-mail domain for a company's has to be caught at it; their mailbox names carry
the word `sandbox`.
"""

import unicodedata
from typing import Final, NamedTuple


class Trade(NamedTuple):
    """What a company does: the last word of its name, and the industry that goes with it."""

    word: str
    industry: str


class Zone(NamedTuple):
    """A time zone by its IANA name and its distance from UTC in hours.

    Summer time is left out on purpose: only working hours are drawn from it, and the base must not depend on
    the time zone data of the machine it is invented on.
    """

    name: str
    hours: int


FIRST_WORDS: Final = (
    "Amberfield", "Birchwater", "Cobalt Finch", "Driftmoor", "Elderbrook", "Fernhollow", "Glasswing", "Harbourlight",
    "Inkwell", "Juniper Lane", "Kestrel Point", "Lanternfish", "Meadowlark", "Northwind", "Oakhaven", "Paperplane",
    "Quillstone", "Riverbend", "Saltmarsh", "Thistledown", "Underhill", "Velvet Pine", "Willowmere", "Yarrow",
    "Zephyr Hill", "Applecross", "Bluebottle", "Copperleaf", "Dovetail", "Eveningstar", "Foxglove", "Greywater",
    "Honeycomb Row", "Ironwood", "Jackdaw", "Kingfisher Bay", "Limestone", "Moonrake", "Nightjar", "Orchard Gate",
    "Pebblebrook", "Quaywest", "Rookery", "Sunhollow", "Tidewater", "Umberline", "Verdigris", "Whitecap",
    "Yellowhammer", "Zinnia", "Brightwell", "Candlewick", "Larkspur", "Mossgate", "Silverbirch", "Tamarack",
)  # fmt: skip

TRADES: Final = (
    Trade("Labs", "Software"),
    Trade("Freight", "Logistics"),
    Trade("Studios", "Media"),
    Trade("Health", "Health care"),
    Trade("Foods", "Food and drink"),
    Trade("Robotics", "Manufacturing"),
    Trade("Energy", "Energy"),
    Trade("Textiles", "Apparel"),
    Trade("Travel", "Travel"),
    Trade("Press", "Publishing"),
    Trade("Legal", "Legal services"),
    Trade("Learning", "Education"),
)

GIVEN_NAMES: Final = (
    "Mira", "Jonas", "Zoë", "Tariq", "Ines", "Łukasz", "Priya", "Mateo", "Aoife", "Kenji", "Sanna", "Olu", "Renée",
    "Dmitri", "Hana", "Bruno", "Leila", "Søren", "Amara", "Pablo", "Freya", "Ravi", "Noor", "Émile", "Tove", "Malik",
    "Greta", "Yusuf", "Clara", "Hugo", "Nadia", "Oskar", "Paloma", "Idris", "Wren", "Joaquín", "Saskia", "Tomás",
    "Vera", "Emeka", "Lotte", "Anwar", "Beatriz", "Callum", "Daria", "Elif", "Felix", "Gemma",
)  # fmt: skip

FAMILY_NAMES: Final = (
    "Holm", "Adeyemi", "Brandt", "Castellan", "Dufresne", "Eklund", "Farrow", "Grünfeld", "Hartono", "Iversen",
    "Jelinek", "Kowalczyk", "Lindqvist", "Marchetti", "Nakagawa", "O'Dowd", "Petrov", "Quiroga", "Rahmani", "Sørby",
    "Tremblay", "Ueda", "Valdés", "Whitlock", "Ximénez", "Yıldız", "Zeller", "Ashgrove", "Bellweather", "Cray",
    "Dunmore", "Everly", "Fairbairn", "Greenleaf", "Hathersage", "Inglewood", "Jessop", "Kettering", "Lowther",
    "Merriweather",
)  # fmt: skip

ZONES: Final = (
    Zone("Europe/Berlin", 1),
    Zone("Europe/London", 0),
    Zone("America/New_York", -5),
    Zone("America/Chicago", -6),
    Zone("America/Los_Angeles", -8),
    Zone("America/Sao_Paulo", -3),
    Zone("Asia/Tokyo", 9),
    Zone("Asia/Singapore", 8),
    Zone("Australia/Sydney", 10),
)

FREE_MAIL: Final = ("gmail.com", "outlook.com", "proton.me")

# An accounting office that receives the invoices of two companies: its mail domain identifies neither of them.
SHARED_BILLING_DOMAIN: Final = "ledgerworks-accounting.example"

BASIC_FEATURES: Final = ("filters", "comments", "templates", "email digest", "tags")
ADVANCED_FEATURES: Final = ("forecasting", "workflow builder", "custom roles", "api access")
INTEGRATIONS: Final = ("crm", "helpdesk", "data warehouse", "chat", "calendar")

_UNFOLDABLE: Final = str.maketrans({"ł": "l", "ø": "o", "ı": "i", "ß": "ss", "'": ""})


def mailbox(given: str, family: str) -> str:
    """The part of an address before the @, in plain ASCII: `Łukasz O'Dowd` → `lukasz.odowd`."""
    lowered = f"{given}.{family}".lower().translate(_UNFOLDABLE)
    return unicodedata.normalize("NFKD", lowered).encode("ascii", "ignore").decode()


def domain_of(company: str) -> str:
    """The company's own domain: `Cobalt Finch Labs` → `cobalt-finch-labs.example`."""
    return f"{company.lower().replace(' ', '-')}.example"
