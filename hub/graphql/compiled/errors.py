"""Why an operation, or this one answer of it, is left to the resolvers."""

from __future__ import annotations


class Unplanned(Exception):
    """The operation asks for something that has no form in SQL; the message says what."""


class Unanswered(Exception):
    """The plan cannot give this answer: a value is missing or out of range, and only the resolvers can say so."""
