"""Reading a vendor's answer: as the model that it should be, or as an error that the host understands."""

from __future__ import annotations

from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from hub.sdk.errors import Unavailable

M = TypeVar("M", bound=BaseModel)


def expect(response: httpx.Response, model: type[M]) -> M:
    """The answer's JSON as `model`.

    Raises `httpx.HTTPStatusError` for a refusal, which the host takes as `Rejected`, and `Unavailable` for whatever is
    not of that shape: a proxy's page, a sign-in form, a vendor on a bad day.
    """
    response.raise_for_status()
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        place = ".".join(str(part) for part in problems[0]["loc"]) or "the answer"
        raise Unavailable(
            "The vendor answers something else than expected: is the address right?",
            detail=f"{response.request.method} {response.request.url.path}: {place}: {problems[0]['msg']}",
        ) from None
