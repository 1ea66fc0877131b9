"""Refusals: what Zendesk answers instead of a record: `{"error": code, "description": text}`.

Source: https://developer.zendesk.com/api-reference/introduction/requests/#response-format
"""

from typing import Any, Self


class Refusal(Exception):
    """An error answer: HTTP status, code, text, and headers that go with it."""

    def __init__(self, status: int, code: str, description: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"error": code, "description": description}

    @classmethod
    def stranger(cls) -> Self:
        refusal = cls(401, "Couldn't authenticate you", "")
        refusal.body = {"error": "Couldn't authenticate you"}
        return refusal

    @classmethod
    def missing(cls) -> Self:
        return cls(404, "RecordNotFound", "Not found")

    @classmethod
    def too_fast(cls, seconds: int) -> Self:
        text = "Number of allowed API requests per minute exceeded"
        return cls(429, "APIRateLimitExceeded", text, {"Retry-After": str(seconds)})

    @classmethod
    def invalid(cls, description: str) -> Self:
        return cls(422, "RecordInvalid", description)
