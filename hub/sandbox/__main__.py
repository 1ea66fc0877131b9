"""`python -m hub.sandbox`: the vendors' doubles as a process of their own, until it is interrupted.

Prints one line of JSON with their URLs, keys and secrets. `--customers 400000 --invoices 400000` serves
synthetic books of that size in place of the invented companies.
"""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime

from hub.sandbox.companies import invent
from hub.sandbox.sandbox import Sandbox
from hub.sandbox.synthetic import synthetic_books


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m hub.sandbox", description="Serves the doubles of Stripe, Salesforce, Zendesk and Intercom."
    )
    parser.add_argument("--port", type=int, default=0, help="the loopback port; 0 takes a free one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--accounts", type=int, default=60, help="how many companies are invented")
    parser.add_argument("--customers", type=int, default=0, help="serve so many synthetic customers instead")
    parser.add_argument("--invoices", type=int, default=0, help="and so many synthetic invoices")
    # A shell's background jobs inherit an ignored SIGINT; this one is meant to be interrupted all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    books = None
    if options.customers or options.invoices:
        books = synthetic_books(options.customers, options.invoices, until=now)
    base = invent(options.seed, options.accounts, until=now)
    async with Sandbox(base, books=books, stripe_port=options.port).running() as sandbox:
        told = {
            "stripe_url": sandbox.stripe_url,
            "stripe_key": sandbox.stripe_key,
            "stripe_webhook_secret": sandbox.stripe_webhook_secret,
            "zendesk_url": sandbox.zendesk_url,
            "zendesk_email": sandbox.zendesk.email,
            "zendesk_token": sandbox.zendesk.token,
            "salesforce_url": sandbox.salesforce_url,
            "salesforce_client_id": sandbox.salesforce.signing_in.client_id,
            "salesforce_client_secret": sandbox.salesforce.signing_in.client_secret,
        }
        told |= {"intercom_url": sandbox.intercom_url, "intercom_token": sandbox.intercom.token}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
