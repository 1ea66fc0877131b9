"""Refusals: what Salesforce answers instead of a record, in its error shape: a list of codes and messages.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
"""

from typing import Any, Self


class Refusal(Exception):
    """An error answer: HTTP status, Salesforce's error code, and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Any = [{"message": message, "errorCode": code}]

    @classmethod
    def no_session(cls) -> Self:
        return cls(401, "INVALID_SESSION_ID", "Session expired or invalid")

    @classmethod
    def spent(cls) -> Self:
        return cls(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    @classmethod
    def broken(cls) -> Self:
        return cls(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId: 1234567-8")

    @classmethod
    def missing(cls) -> Self:
        return cls(404, "NOT_FOUND", "The requested resource does not exist")

    @classmethod
    def malformed(cls, query: str, near: str) -> Self:
        return cls(400, "MALFORMED_QUERY", f"\n{query}\n^\nERROR at Row:1:Column:1\nunexpected token: '{near}'")

    @classmethod
    def no_field(cls, name: str, kind: str) -> Self:
        return cls(400, "INVALID_FIELD", f"No such column '{name}' on entity '{kind}'.")

    @classmethod
    def no_object(cls, kind: str) -> Self:
        return cls(400, "INVALID_TYPE", f"sObject type '{kind}' is not supported.")

    @classmethod
    def no_locator(cls) -> Self:
        return cls(400, "INVALID_QUERY_LOCATOR", "invalid query locator")


class TokenRefusal(Refusal):
    """The same of the token endpoint, which answers as OAuth has it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(400, error, description)
        self.body = {"error": error, "error_description": description}
