"""Refusals: what Stripe answers instead of an object, in its error shape.

Source: https://docs.stripe.com/api/errors and the texts that its API gives.
"""

from typing import Self

from hub.sandbox.shapes import Json


class Refusal(Exception):
    """An error answer: HTTP status and the fields of Stripe's `error` object; absent ones are left out."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        fields = {"code": code, "message": message, "param": param, "type": kind}
        self.body: Json = {"error": {name: value for name, value in fields.items() if value is not None}}

    @classmethod
    def no_key(cls) -> Self:
        return cls(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )

    @classmethod
    def wrong_key(cls, key: str) -> Self:
        return cls(401, f"Invalid API Key provided: {_masked(key)}")

    @classmethod
    def expired_key(cls, key: str) -> Self:
        return cls(401, f"Expired API Key provided: {_masked(key)}", code="api_key_expired")

    @classmethod
    def too_fast(cls) -> Self:
        return cls(
            429,
            "Request rate limit exceeded. Learn more about rate limits here https://docs.stripe.com/rate-limits.",
            code="rate_limit",
            headers={"Stripe-Rate-Limited-Reason": "global-rate"},
        )

    @classmethod
    def broken(cls) -> Self:
        return cls(500, "An unknown error occurred.", kind="api_error")

    @classmethod
    def no_such_url(cls, method: str, path: str) -> Self:
        return cls(404, f"Unrecognized request URL ({method}: {path}).")

    @classmethod
    def missing(cls, noun: str, object_id: str, *, param: str = "id") -> Self:
        """404 for the object that was asked for itself, 400 for one that a parameter names."""
        message = f"No such {noun}: '{object_id}'"
        return cls(404 if param == "id" else 400, message, code="resource_missing", param=param)

    @classmethod
    def unknown_param(cls, name: str) -> Self:
        return cls(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)

    @classmethod
    def invalid(cls, message: str, param: str) -> Self:
        return cls(400, message, param=param)

    @classmethod
    def key_reused(cls, key: str) -> Self:
        return cls(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )


def _masked(key: str) -> str:
    return f"{key[:8]}{'*' * 12}{key[-4:]}"
