"""Scrubbing: a vendor's record without what is personal or secret, and with its shape as it was.

What is known to be harmless stays: numbers, times, true and false, short words as codes and states have them.
Everything else is replaced by something of the same kind. The same value always becomes the same thing within one
recording, so that records still refer to each other; another recording has another salt, so nothing leads back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

WORD = re.compile(r"^[a-z][a-z0-9_.:-]{0,31}$")
EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
DOMAIN = re.compile(r"^([a-z0-9-]+\.)+[a-z]{2,}$", re.IGNORECASE)
NUMBER = re.compile(r"^-?\d{1,12}(\.\d{1,6})?$")
CODE = re.compile(r"^[A-Z]{2,3}$")
ID = re.compile(r"^(?=.*\d)[A-Za-z0-9_-]{4,64}$")
PREFIXED = re.compile(r"^([a-z]{2,6}_)(.+)$")
NAMING = re.compile(
    r"(^|_|\b)(first|last|full|given|family|user|nick|display)?_?(name|login|title|phone|mobile|fax|street|city|zip|postal|"
    r"address|ip|line1|line2|birth|gender|avatar|photo|signature|subject|description|comment|note|body|text|message)s?$",
    re.IGNORECASE,
)
"""Fields that hold what a person wrote or is: always replaced, however harmless the value looks."""

SECRET = re.compile(r"(secret|token|password|credential|api_?key|authorization|cookie)", re.IGNORECASE)


class Scrubber:
    """Replaces values, the same one always by the same."""

    def __init__(self, salt: bytes, secrets: list[str]) -> None:
        self._salt = salt
        self._secrets = secrets

    def scrub(self, value: Any, name: str = "") -> Any:
        """The value as it may be kept; `name` is the field that holds it."""
        match value:
            case Mapping():
                return {self._key(str(key)): self.scrub(inner, str(key)) for key, inner in value.items()}
            case list() | tuple():
                return [self.scrub(inner, name) for inner in value]
            case str() if value:
                return self._text(value, name)
            case _:
                return value

    def _key(self, name: str) -> str:
        return self._email(name) if EMAIL.match(name) else name

    def _text(self, text: str, name: str) -> str:
        if SECRET.search(name) or any(secret in text for secret in self._secrets):
            return "scrubbed"
        if EMAIL.match(text):
            return self._email(text)
        if ADDRESS.match(text):
            return f"https://scrubbed.example/{self._digest(text)}"
        if _is_time(text) or NUMBER.match(text):
            return text
        if NAMING.search(name):
            return f"Scrubbed {self._digest(text)}"
        if DOMAIN.match(text):
            return f"{self._digest(text)}.example"
        if ID.match(text):
            return self._id(text)
        if WORD.match(text) or CODE.match(text):
            return text
        return f"Scrubbed {self._digest(text)}"

    def _email(self, text: str) -> str:
        person, _, domain = text.partition("@")
        return f"{self._digest(person)}@{self._digest(domain)}.example"

    def _id(self, text: str) -> str:
        """Of the same length, with the vendor's prefix: `cus_9s6XKzkNRiz8i3` → `cus_4b1f0c…`."""
        found = PREFIXED.match(text)
        prefix, rest = (found[1], found[2]) if found else ("", text)
        digits = rest.isdecimal()
        digest = hashlib.sha256(self._salt + rest.encode()).hexdigest() * 2
        return prefix + (
            str(int(digest[:32], 16)).rjust(len(rest), "1")[: len(rest)] if digits else digest[: len(rest)]
        )

    def _digest(self, text: str) -> str:
        return hashlib.sha256(self._salt + text.encode()).hexdigest()[:8]


def _is_time(text: str) -> bool:
    if not re.match(r"^\d{4}-\d\d-\d\d", text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return bool(re.match(r"^\d{4}-\d\d-\d\dT[\d:.]+[+-]\d{4}$", text))
    return True
