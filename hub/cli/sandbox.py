"""`hub sandbox`: an invented outside world to connect a hub, or a plugin under work, to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hub.cli.console import AsJson, out, print_json, say
from hub.cli.progress import bar
from hub.kit.errors import Invalid, NotFound
from hub.sandbox import DOUBLES, Address, Fault, Faults, Progress, Sandbox, SendingFailed, invent

DEFAULT_ACCOUNTS = 200
UPLOAD = 500


def sandbox(
    doubles: Annotated[list[str] | None, typer.Argument(help="Which doubles. Default: all of them.")] = None,
    accounts: Annotated[int, typer.Option(min=1, max=5_000, help="How many companies.")] = DEFAULT_ACCOUNTS,
    seed: Annotated[int, typer.Option(help="Another seed is another world.")] = 7,
    port: Annotated[int, typer.Option(help="Stripe's port; 0 takes a free one.")] = 0,
    rate_limit: Annotated[int | None, typer.Option(help="Requests a second that Stripe takes; it allows 25.")] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(help="What befalls requests, and how often: rate_limited=0.05, stripe.all=0.02 (repeatable)."),
    ] = None,
    send: Annotated[
        str | None, typer.Option(help="A hub's address: send it the history, then life, to connections of these names.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start doubles of the vendors over invented companies with two years of history, until Ctrl-C.

    They speak the vendors' wire formats: pages, ties, deletions, old and new shapes. Prints how to connect each.
    """
    chosen = doubles or list(DOUBLES)
    if unknown := [name for name in chosen if name not in DOUBLES]:
        raise NotFound(f"There is no double of {unknown[0]!r}.", remedy=f"There are: {', '.join(DOUBLES)}")
    shares = _shares(faults or [])
    # A shell's background jobs inherit an ignored SIGINT; this one is meant to be interrupted all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(chosen, accounts, seed, port, rate_limit, shares, send, as_json))


def _shares(given: list[str]) -> Mapping[str, Mapping[Fault, float]]:
    """`rate_limited=0.05` as a share of each double's requests, `zendesk.cut=0.1` of those of one. Raises `Invalid`."""
    shares: dict[str, dict[Fault, float]] = {name: {} for name in DOUBLES}
    for text in given:
        left, _, number = text.partition("=")
        where, _, name = left.rpartition(".")
        try:
            share = float(number)
            named = list(Fault) if name == "all" else [Fault(name)]
            chosen = [shares[where]] if where else list(shares.values())
        except (ValueError, KeyError):
            raise Invalid(
                f"{text!r} is no fault with its share.",
                remedy=f"Write name=0.05 or stripe.name=0.05; names: all, {', '.join(Fault)}",
            ) from None
        for one in chosen:
            one |= dict.fromkeys(named, share)
    for one in shares.values():
        if not 0 <= sum(one.values()) <= 1 or any(share < 0 for share in one.values()):
            raise Invalid("The shares of faults have to add up to between 0 and 1.", remedy="Make them smaller.")
    return shares


async def _run(
    chosen: list[str],
    accounts: int,
    seed: int,
    port: int,
    rate_limit: int | None,
    shares: Mapping[str, Mapping[Fault, float]],
    send: str | None,
    as_json: bool,
) -> None:
    base = invent(seed, accounts, until=datetime.now(UTC))
    faults = {name: Faults(share=share, seed=seed) for name, share in shares.items()}
    world = Sandbox(
        base,
        stripe_port=port,
        faults=faults["stripe"],
        salesforce_faults=faults["salesforce"],
        zendesk_faults=faults["zendesk"],
        intercom_faults=faults["intercom"],
    )
    world.stripe.requests_per_second = rate_limit
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(world.running())
        addresses = {name: await stack.enter_async_context(DOUBLES[name](running)) for name in chosen}
        _tell(addresses, accounts, as_json)
        if send:
            await _send(running, chosen, send.rstrip("/"), faults["segment"], as_json)
        await asyncio.Event().wait()


def _tell(addresses: Mapping[str, Address], accounts: int, as_json: bool) -> None:
    if as_json:
        print_json({"accounts": accounts, "doubles": {name: asdict(address) for name, address in addresses.items()}})
    else:
        say(f"{accounts} companies with two years of history. Connect a hub to them:")
        for name, address in addresses.items():
            settings = " ".join(f"--set {key}={value}" for key, value in address.config.items())
            say(f"  hub connect add {name} {settings}")
        say("Ctrl-C stops them. What they know follows from the seed and the day.")
    out.file.flush()


async def _send(world: Sandbox, chosen: list[str], hub: str, faults: Faults, as_json: bool) -> None:
    """Segment's history, then its life and Stripe's webhooks."""
    if "stripe" in chosen:
        world.stripe_webhook(f"{hub}/in/stripe/webhook")
    if "segment" not in chosen:
        return
    sender = world.segment(f"{hub}/in/segment", upload_size=UPLOAD, gzip=True, faults=faults)
    history: list[Any] = list(world.history())
    with bar(as_json) as progress:
        task = progress.add_task("Segment sends history", total=len(history))

        def note(sent: Progress) -> None:
            progress.update(task, completed=sent.sent)

        try:
            await sender.send(history, progress=note)
        except SendingFailed as failed:
            raise Invalid(
                f"{hub} does not take Segment's messages: {failed}",
                remedy="Is the hub up, with a connection called segment that has this write key?",
            ) from None
    await world.live(sender)
