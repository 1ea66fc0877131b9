"""Reading in waves: together what is asked together, whatever comes back first."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence

import pytest

from hub.graphql.waves import Waves


class Source:
    """Reads that take their time, and remember what they were asked for."""

    def __init__(self, delays: random.Random) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.delays = delays

    async def read(self, name: str, keys: Sequence[int]) -> Mapping[int, str]:
        self.calls.append((name, sorted(keys)))
        await asyncio.sleep(self.delays.random() / 200)
        return {key: f"{name} {key}" for key in keys if key >= 0}


def asking(waves: Waves, source: Source, name: str, key: int) -> asyncio.Future[str | None]:
    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        return await source.read(name, keys)

    return waves.ask(name, read, key)


async def screen(seed: int) -> list[tuple[str, list[int]]]:
    """Two lists read alone, whose entries ask for accounts, whose answers ask for scores; some through a gather."""
    waves, source = Waves(), Source(random.Random(seed))

    async def entry(key: int) -> None:
        await asking(waves, source, "account", key)
        await asyncio.gather(*(asking(waves, source, "score", key * 10 + nth) for nth in range(2)))

    async def several(name: str, keys: range) -> None:
        await waves.alone(source.read(name, [0]))
        await asyncio.gather(*(entry(key) for key in keys))

    await asyncio.gather(several("tasks", range(3)), several("alerts", range(2, 6)))
    return sorted(source.calls)


async def test_the_statements_follow_the_shape_and_not_the_order_of_answers() -> None:
    """However long each read takes, the same reads are made, each key once."""
    expected = [
        ("account", [0, 1, 2, 3, 4, 5]),
        ("alerts", [0]),
        ("score", [0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51]),
        ("tasks", [0]),
    ]
    for seed in range(20):
        assert await screen(seed) == expected


async def test_an_answer_is_kept_until_it_is_forgotten() -> None:
    """The same key again costs nothing; after `forget` it is read anew."""
    waves, source = Waves(), Source(random.Random(1))
    assert await asking(waves, source, "account", 1) == "account 1"
    assert await asking(waves, source, "account", 1) == "account 1"
    assert len(source.calls) == 1
    waves.forget()
    assert await asking(waves, source, "account", 1) == "account 1"
    assert len(source.calls) == 2


async def test_what_is_not_found_is_none() -> None:
    """A key without an answer is no error."""
    assert await asking(Waves(), Source(random.Random(1)), "account", -1) is None


async def test_a_failed_read_fails_those_who_asked_and_no_others() -> None:
    """Each gets the error; reads of another sort go on."""
    waves, source = Waves(), Source(random.Random(1))

    async def broken(_keys: Sequence[int]) -> Mapping[int, str]:
        raise ConnectionResetError("gone")

    first, second = waves.ask("broken", broken, 1), waves.ask("broken", broken, 2)
    good = asking(waves, source, "account", 1)
    found = await asyncio.gather(first, second, good, return_exceptions=True)
    assert isinstance(found[0], ConnectionResetError)
    assert found[1] is found[0]
    assert found[2] == "account 1"


async def test_closing_stops_the_reading() -> None:
    """An operation whose time is over leaves no read behind."""
    waves, started = Waves(), asyncio.Event()

    async def forever(_keys: Sequence[int]) -> Mapping[int, str]:
        started.set()
        await asyncio.sleep(60)
        return {}

    answer = waves.ask("slow", forever, 1)
    await started.wait()
    await waves.close()
    assert not answer.done()
    assert {task.get_name() for task in asyncio.all_tasks()} & {"read in waves"} == set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await answer
