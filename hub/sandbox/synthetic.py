"""Synthetic books: as many customers and invoices as asked for, none of them in memory.

For syncs of 20,000 records and memory tests of 400,000. Each fact is computed from its place when a page asks
for it, so a double over these books costs the same memory for ten records as for a million. Several facts
share each second, because that is where paging by time goes wrong. Facts that come later (updates, events)
lie in memory over the computed ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.sandbox.books import Books, Customer, Fact, Invoice, Resource, empty_shelves
from hub.sandbox.shapes import CURRENT, OLDER

SAME_SECOND: Final = 5
"""How many facts of a kind share their second of creation."""

_DIGITS: Final = 12


@dataclass(slots=True)
class LazyShelf:
    """`count` facts of one kind whose ids are `prefix` and their place, the first of them made at second `since`."""

    prefix: str
    count: int
    since: int
    make: Callable[[int, int], Fact]
    _changed: dict[str, Fact]

    def __len__(self) -> int:
        return self.count

    def at(self, place: int) -> Fact:
        changed = self._changed.get(f"{self.prefix}{place:0{_DIGITS}}")
        return changed or self.make(place, self.since + place // SAME_SECOND)

    def place_of(self, fact_id: str) -> int | None:
        digits = fact_id.removeprefix(self.prefix)
        if digits == fact_id or len(digits) != _DIGITS or not digits.isdecimal():
            return None
        return place if (place := int(digits)) < self.count else None

    def first_since(self, created: int) -> int:
        return min(self.count, max(0, created - self.since) * SAME_SECOND)

    def put(self, fact: Fact) -> None:
        """Replaces one of the facts; raises KeyError for another, as a lazy shelf does not grow."""
        if self.place_of(fact.id) is None:
            raise KeyError(fact.id)
        self._changed[fact.id] = fact


def customer_id(place: int) -> str:
    return f"cus_{place:0{_DIGITS}}"


def synthetic_books(customers: int = 0, invoices: int = 0, *, until: datetime) -> Books:
    """Books with so many customers and paid invoices, the last of them made a day before `until`.

    Invoices go to the customers in turn. The other lists are empty and in memory.
    """
    end = int((until - timedelta(days=1)).timestamp())
    shelves = empty_shelves()
    shelves[Resource.CUSTOMERS] = LazyShelf("cus_", customers, end - customers // SAME_SECOND, _customer, {})

    def invoice(place: int, created: int) -> Invoice:
        return _invoice(place, created, place % max(1, customers))

    shelves[Resource.INVOICES] = LazyShelf("in_", invoices, end - invoices // SAME_SECOND, invoice, {})
    return Books("acct_1Synthetic000000", shelves, CURRENT, OLDER, upgraded_at=0)


def _customer(place: int, created: int) -> Customer:
    return Customer(
        id=customer_id(place),
        created=created,
        name=f"Invented Company {place}",
        email=f"billing@company-{place}.example",
        currency="usd",
        metadata={"group_id": f"org_{place}"},
    )


def _invoice(place: int, created: int, customer: int) -> Invoice:
    return Invoice(
        id=f"in_{place:0{_DIGITS}}",
        created=created,
        customer=customer_id(customer),
        customer_name=f"Invented Company {customer}",
        customer_email=f"billing@company-{customer}.example",
        subscription=None,
        product="prod_Synthetic00000",
        number=f"SYN-{place}",
        currency="usd",
        amount=1_000 + place % 977,
        quantity=1,
        period_start=created,
        period_end=created,
        reason="manual",
        payment_intent=f"pi_{place:0{_DIGITS}}",
        status="paid",
        attempts=1,
        paid_at=created,
    )
