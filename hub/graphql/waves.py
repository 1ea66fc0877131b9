"""Reading in waves: what resolvers ask for is collected until all have asked, and then read together.

Resolvers of one operation run side by side and ask for keys one at a time. A wave begins when nothing is being read any
more and nobody asks for anything new; it is one statement for each sort of read. So how many statements an operation
takes follows from its shape alone, not from the number of rows, and not from which answer happened to come first. (A
loader that sends off whatever it has after each step reads the accounts of tasks and of alerts in one statement or in
two, as chance has it.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

QUIET_STEPS = 4
"""Steps of the event loop without a new question after which everybody has asked: an answer wakes what stands for it
with each who waits in one step, them in a second, and whoever gathers several answers in a third."""

Read = Callable[[Sequence[Any]], Awaitable[Mapping[Any, Any]]]


class Waves:
    """The reads of one operation. Answers are kept until `forget`."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, dict[Hashable, asyncio.Future[Any]]] = {}
        self._asked: dict[Hashable, tuple[Read, list[Any]]] = {}
        self._reading = 0
        self._pump: asyncio.Task[None] | None = None
        self._landed = asyncio.Event()

    def ask(self, name: Hashable, read: Read, key: Hashable) -> asyncio.Future[Any]:
        """The answer for a key (None when there is none), read with all other keys asked for under the same name."""
        answers = self._answers.setdefault(name, {})
        found = answers.get(key)
        if found is not None and not found.cancelled():
            return _shared(found)
        answer = answers[key] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_seen)
        self._asked.setdefault(name, (read, []))[1].append(key)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run(), name="read in waves")
        return _shared(answer)

    async def alone(self, read: Awaitable[T]) -> T:
        """A read of its own kind; the next wave waits for it, since its answer may bring more questions."""
        self._reading += 1
        try:
            return await read
        finally:
            self._reading -= 1
            self._landed.set()

    def forget(self) -> None:
        """Drop the answers: what they tell may have changed."""
        self._answers.clear()

    async def close(self) -> None:
        """Stop reading, e.g. because the operation's time is over."""
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump

    async def _run(self) -> None:
        while self._asked:
            await self._everybody_has_asked()
            wave, self._asked = self._asked, {}
            await asyncio.gather(*(self._read(name, read, keys) for name, (read, keys) in wave.items()))

    async def _everybody_has_asked(self) -> None:
        quiet, before = 0, -1
        while quiet < QUIET_STEPS or self._reading:
            if self._reading:
                self._landed.clear()
                await self._landed.wait()
                quiet = 0
            await asyncio.sleep(0)
            asked = sum(len(keys) for _, keys in self._asked.values())
            quiet, before = (quiet + 1, before) if asked == before else (0, asked)

    async def _read(self, name: Hashable, read: Read, keys: list[Any]) -> None:
        answers = self._answers.get(name, {})
        waiting = {key: answers[key] for key in keys if key in answers}
        try:
            found = await read(keys)
        except Exception as error:  # whoever asked gets it, each at its own field
            for answer in waiting.values():
                if not answer.done():
                    answer.set_exception(error)
            return
        for key, answer in waiting.items():
            if not answer.done():
                answer.set_result(found.get(key))


def _shared(answer: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """The answer for one of those who wait for it: when their field is given up, the others still get it."""
    mine = asyncio.shield(answer)
    mine.add_done_callback(_seen)
    return mine


def _seen(answer: asyncio.Future[Any]) -> None:
    """An error that nobody waits for any more, because another field failed first, is no news."""
    if not answer.cancelled():
        answer.exception()
