"""Live traffic: what happens at the invented companies after their history ends, moment by moment.

The stories go on: whoever dropped out stays away, who could not pay is declined again, who grew goes on
growing. A moment follows from the seed, its place in the row and its time, so the same row of times gives the
same traffic; a sandbox that is started again replays the times of before and stands where it stood.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from hub.sandbox.billing import customer_id, seconds, subscription_id
from hub.sandbox.books import Books, Customer, Event, Invoice, Subscription
from hub.sandbox.chance import seeded
from hub.sandbox.clerk import Clerk
from hub.sandbox.companies import Company, CompanyBase
from hub.sandbox.messages import Message, track, wire_time
from hub.sandbox.segment import Sender, SendingFailed
from hub.sandbox.stories import ARCS, Story
from hub.sandbox.stripe import StripeDouble
from hub.sandbox.usage import at_work, visit

_BILLING_SHARE: Final = 1 / 12
_MOST_UNSENT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happens at one company: messages to send, and Stripe events that are in the books already."""

    at: datetime
    company: Company
    title: str
    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Traffic:
    """Makes moments. Each writes what it changes into the books, so a pull finds what a webhook told."""

    def __init__(self, base: CompanyBase, books: Books) -> None:
        self.base = base
        self.books = books
        self.made = 0
        self._busy = {
            company: len(at_work(base, company, base.until)) * sum(ARCS[company.story].sessions)
            for company in base.companies
        }
        self._payers = [company for company in base.companies if company.churned_at is None]

    def next(self, now: datetime) -> Moment:
        """What happens now, to the millisecond."""
        now = now.astimezone(UTC).replace(microsecond=now.microsecond // 1000 * 1000)
        self.made += 1
        rng = seeded(self.base.seed, "live", self.made, wire_time(now))
        if self._payers and rng.random() < _BILLING_SHARE:
            return self._billed(rng, rng.choice(self._payers), now)
        if not any(self._busy.values()):
            return Moment(now, self.base.companies[0], "nobody is at work")
        return self._visited(rng, rng.choices(list(self._busy), list(self._busy.values()))[0], now)

    def replay(self, times: Iterable[datetime]) -> None:
        """Makes the moments of these times again, for what they leave in the books."""
        for at in times:
            self.next(at)

    def _visited(self, rng: Random, company: Company, now: datetime) -> Moment:
        person = rng.choice(at_work(self.base, company, now))
        messages = visit(rng, company, person, now, actions=1.0)
        # A visit takes minutes; live it is told at its end, so that nothing comes from the future.
        for before, message in enumerate(reversed(messages)):
            message["timestamp"] = wire_time(now - timedelta(seconds=before))
        last = messages[-1]
        return Moment(now, company, f"{person.name}: {last.get('event') or last['name']}", messages)

    def _billed(self, rng: Random, company: Company, now: datetime) -> Moment:
        clerk = Clerk(self.books, rng)
        customer = self.books.find(Customer, customer_id(self.base, company))
        subscription = self.books.find(Subscription, subscription_id(self.base, company))
        if customer is None or subscription is None:
            raise LookupError(f"the books do not know {company.name}")
        at = seconds(now)
        if company.story is Story.FAILING_PAYMENTS:
            unpaid = [one for one in self.books.newest(Invoice) if one.customer == customer.id and one.status == "open"]
            for invoice in unpaid[:1]:
                clerk.decline(invoice, at, at + 3 * 86_400)
            return Moment(now, company, "a charge was declined", events=clerk.told)
        if company.story is Story.EXPANDING:
            clerk.amend(subscription, at, quantity=subscription.quantity + 1)
            added = track(rng, company, company.administrator, "Account Added User", now)
            return Moment(now, company, "one more licence", [added], clerk.told)
        invoice = clerk.draft(customer, subscription, 1000 + self.made, "manual", at)
        clerk.collect(clerk.finalize(invoice, at), at)
        return Moment(now, company, "an invoice was paid", events=clerk.told)


async def play(
    traffic: Traffic,
    *,
    rate: float,
    clock: Callable[[], datetime],
    sender: Sender,
    stripe: StripeDouble,
    tell: Callable[[Moment], None] = lambda _: None,
    moments: int | None = None,
) -> None:
    """Lets it happen: `rate` moments a second, without end or so many `moments`, and tells of each.

    While the hub cannot be reached, messages wait as they do in a real client, the newest 10,000 of them.
    """
    unsent: deque[Message] = deque(maxlen=_MOST_UNSENT)
    last = None if moments is None else traffic.made + moments
    while last is None or traffic.made < last:
        moment = traffic.next(clock())
        tell(moment)
        unsent.extend(moment.messages)
        try:
            await sender.send(list(unsent))
            unsent.clear()
        except SendingFailed as failure:
            for _ in range(failure.progress.sent):
                unsent.popleft()
        await stripe.announce(moment.events)
        await asyncio.sleep(1 / rate)
