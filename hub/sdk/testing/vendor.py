"""A vendor's double for the kit: a small ASGI application over records that the kit puts in and takes out.

A plugin's `tests/vendor.py` subclasses `Vendor`: it says how a record looks (`make`), and answers the vendor's requests
(`app`). Everything else is the kit's: it serves the application on a real socket, fills it with records, and
breaks the connection to it in every way that a bad day knows.

```python
class Acme(sdk.testing.Vendor):
    def make(self, stream, number, at):
        return {"id": f"answer-{number}", "at": at.isoformat(), "score": 9}

    def app(self):
        return Starlette(routes=[Route("/v1/answers", self.answers)])

    async def answers(self, request):
        after = int(request.query_params["after"])
        page = self.held["answers"][after : after + 2]
        return JSONResponse({"answers": self.shown(page), "last": after + len(page)})
```
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel
from starlette.types import ASGIApp

Row = dict[str, Any]


class Vendor:
    """What the vendor holds, and how it answers; a new one is made for each trial."""

    apart: ClassVar[timedelta] = timedelta(hours=1)
    """Time between one record of the kit's and the next; give more where the connector looks back for long."""

    def __init__(self) -> None:
        self.held: defaultdict[str, list[Row]] = defaultdict(list)
        """The records of each stream as its API lists them, in the order in which they became true."""
        self.effects: list[Any] = []
        """What actions did: an action's route appends one entry for each thing that really happened."""
        self._hidden: list[Row] = []

    def make(self, stream: str, number: int, at: datetime) -> Row:
        """Record `number` of a stream as the API lists it, created or last changed at `at`; other numbers, other ids.

        Put what else the record needs (the company that it names) into the double as well.
        """
        raise NotImplementedError(f"{type(self).__name__} needs make(stream, number, at): one record as the API has it")

    def app(self) -> ASGIApp:
        """The application that answers as the vendor does, over what is `held`."""
        raise NotImplementedError(f"{type(self).__name__} needs app(): an ASGI application, e.g. Starlette(routes=[…])")

    @asynccontextmanager
    async def beside(self, config: BaseModel) -> AsyncIterator[BaseModel]:
        """Serve what is no HTTP for as long as a trial runs; gives the configuration that leads there."""
        yield config

    def shown(self, rows: list[Row]) -> list[Row]:
        """A page's records without those that this account may not see; so a page in the middle may be empty.

        Decide by all of the page where the next one begins, and give out what is shown.
        """
        return [row for row in rows if not any(row is hidden for hidden in self._hidden)]

    def hide(self, rows: list[Row]) -> None:
        """Have `shown` leave these out from now on."""
        self._hidden += rows
