"""The sandbox: one invented world with all its vendors, ready for a hub to be connected to.

    base = invent(until=datetime.now(UTC))
    async with Sandbox(base).running() as sandbox:
        sandbox.stripe_url, sandbox.stripe_key                      # what a Stripe connection is configured with
        await sandbox.segment(host, write_key).send(sandbox.history())

Keys and secrets follow from the seed: they open nothing but the doubles.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx

from hub.sandbox.billing import invent_books
from hub.sandbox.books import Books, stripe_id
from hub.sandbox.chance import seeded
from hub.sandbox.companies import CompanyBase
from hub.sandbox.faults import Faults
from hub.sandbox.intercom import IntercomDouble, NotificationEndpoint, invent_workspace
from hub.sandbox.intercom.workspace import ADMIN
from hub.sandbox.live import Moment, Traffic, play
from hub.sandbox.messages import Message, wire_time
from hub.sandbox.product import Product
from hub.sandbox.salesforce import OutboundMessages, SalesforceDouble, invent_org
from hub.sandbox.salesforce.tokens import ConnectedApp
from hub.sandbox.segment import Sender, WebhookDestination
from hub.sandbox.stripe import StripeDouble
from hub.sandbox.usage import Rhythm, history
from hub.sandbox.webhooks import WebhookEndpoint
from hub.sandbox.zendesk import ZendeskDouble, ZendeskWebhook, invent_desk


class Sandbox:
    """The doubles over one base. Inside of `running()` they answer at `stripe_url`, `salesforce_url`, `zendesk_url` and
    `intercom_url`.

    clock gives the present time everywhere. faults fall on the Stripe double's answers, salesforce_faults,
    zendesk_faults and intercom_faults on the others'. stripe_port, salesforce_port, zendesk_port, intercom_port: 0
    takes a free port; a fixed one lets a connection outlive a restart.
    journal: a file that keeps the times of live moments, from which a sandbox that is started again goes on;
    without one it forgets them.
    """

    def __init__(
        self,
        base: CompanyBase,
        *,
        books: Books | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
        salesforce_faults: Faults | None = None,
        stripe_port: int = 0,
        salesforce_port: int = 0,
        zendesk_faults: Faults | None = None,
        zendesk_port: int = 0,
        intercom_faults: Faults | None = None,
        intercom_port: int = 0,
        journal: Path | None = None,
    ) -> None:
        rng = seeded(base.seed, "secrets")
        self.base = base
        self.clock = clock
        self.stripe_key = stripe_id(rng, "sk_test_")
        self.stripe_webhook_secret = stripe_id(rng, "whsec_", 32)
        self.segment_write_key = stripe_id(rng, "", 32)
        self.segment_webhook_secret = stripe_id(rng, "", 32)
        self.inapp_secret = stripe_id(rng, "", 32)
        self.stripe = StripeDouble(books or invent_books(base), key=self.stripe_key, clock=clock, faults=faults)
        self.stripe_url = ""
        self.salesforce_message_secret = stripe_id(rng, "", 32)
        app = ConnectedApp(
            seeded(base.seed, "tokens"),
            clock,
            client_id=stripe_id(rng, "3MVG9", 60),
            client_secret=stripe_id(rng, "", 64),
            username="integration@sandbox.example",
        )
        self.salesforce = SalesforceDouble(invent_org(base, clock), app, clock=clock, faults=salesforce_faults)
        self.salesforce_url = ""
        self.zendesk_webhook_secret = stripe_id(rng, "", 44)
        self.zendesk = ZendeskDouble(
            invent_desk(base, clock),
            email="agent@sandbox.example",
            token=stripe_id(rng, "", 40),
            clock=clock,
            faults=zendesk_faults,
        )
        self.zendesk_url = ""
        self.intercom_client_secret = stripe_id(rng, "", 36)
        self.intercom_admin = ADMIN
        self.intercom = IntercomDouble(
            invent_workspace(base), token=stripe_id(rng, "dG9rOg", 40), clock=clock, faults=intercom_faults
        )
        self.intercom_url = ""
        self.traffic = Traffic(base, self.stripe.books)
        self._stripe_port = stripe_port
        self._salesforce_port = salesforce_port
        self._zendesk_port = zendesk_port
        self._intercom_port = intercom_port
        self._journal = journal
        self._http: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serves the doubles on loopback ports until the block is left."""
        if self._journal is not None and self._journal.exists():
            self.traffic.replay(map(datetime.fromisoformat, self._journal.read_text().split()))
        # Proxies of the environment are for the outside world, which the sandbox replaces.
        client = httpx.AsyncClient(timeout=30, trust_env=False)
        async with (
            client as self._http,
            self.stripe.running(self._stripe_port) as self.stripe_url,
            self.salesforce.running(self._salesforce_port) as self.salesforce_url,
            self.zendesk.running(self._zendesk_port) as self.zendesk_url,
            self.intercom.running(self._intercom_port) as self.intercom_url,
        ):
            yield self

    @property
    def http(self) -> httpx.AsyncClient:
        """The client with which the doubles send. Raises RuntimeError outside of `running()`."""
        if self._http is None or self._http.is_closed:
            raise RuntimeError("the sandbox is not running")
        return self._http

    def history(self, rhythm: Rhythm | None = None) -> Iterator[Message]:
        """Two years of Segment messages, the oldest first."""
        return history(self.base, rhythm)

    def segment(self, host: str, write_key: str | None = None, **options: Any) -> Sender:
        """A Segment client for the source endpoint at `host`; options are the fields of Sender."""
        return Sender(host, write_key or self.segment_write_key, self.http, **({"clock": self.clock} | options))

    def segment_destination(self, url: str, secret: str | None = None) -> WebhookDestination:
        """Segment's webhook destination that forwards to `url`."""
        return WebhookDestination(url, secret or self.segment_webhook_secret, self.http, self.clock)

    def stripe_webhook(self, url: str, secret: str | None = None, **options: Any) -> WebhookEndpoint:
        """Registers `url` with the Stripe double, which delivers every event from now on to it."""
        chosen = secret or self.stripe_webhook_secret
        endpoint = WebhookEndpoint(url, chosen, self.http, **({"clock": self.clock} | options))
        self.stripe.endpoints.append(endpoint)
        return endpoint

    def salesforce_messages(self, url: str, *kinds: str, **options: Any) -> OutboundMessages:
        """Outbound messages to `url` about every change, from now on, of records of these objects."""
        messages = OutboundMessages(self.salesforce.org, url, self.http, **options)
        messages.watch(*kinds)
        return messages

    def zendesk_webhook(self, url: str, secret: str | None = None, **options: Any) -> ZendeskWebhook:
        """A webhook of the Zendesk double to `url`."""
        return ZendeskWebhook(
            url, secret or self.zendesk_webhook_secret, self.http, **({"clock": self.clock} | options)
        )

    def intercom_notifications(self, url: str, secret: str | None = None, **options: Any) -> NotificationEndpoint:
        """Notifications of the Intercom double to `url`."""
        chosen = secret or self.intercom_client_secret
        return NotificationEndpoint(url, chosen, self.http, self.intercom.workspace, **options)

    def product(self, hub: str, connection: str, secret: str | None = None, **options: Any) -> Product:
        """The customer's product, whose in-app script talks to `{hub}/in/{connection}/…`."""
        chosen: dict[str, Any] = {"seed": self.base.seed, "clock": self.clock} | options
        return Product(hub, connection, secret or self.inapp_secret, self.http, **chosen)

    async def live(
        self,
        sender: Sender,
        *,
        rate: float = 1.0,
        tell: Callable[[Moment], None] = lambda _: None,
        moments: int | None = None,
    ) -> None:
        """Lets life go on at `rate` moments a second: usage through `sender`, billing through the Stripe double."""

        def keep(moment: Moment) -> None:
            if self._journal is not None:
                with self._journal.open("a") as journal:
                    journal.write(f"{wire_time(moment.at)}\n")
            tell(moment)

        await play(
            self.traffic,
            rate=rate,
            clock=self.clock,
            sender=sender,
            stripe=self.stripe,
            tell=keep,
            moments=moments,
        )
