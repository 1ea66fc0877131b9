"""Events that cannot be right are refused where they are made."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hub import sdk

AT = datetime(2026, 3, 2, tzinfo=UTC)
ACME = sdk.Account("customer:1", (sdk.keys.external("acme.customer", "1"),))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "Ticket Solved"}, "object.action"),
        ({"kind": "ticket"}, "object.action"),
        ({"occurred_at": datetime(2026, 3, 2)}, "aware"),  # noqa: DTZ001  # that is the point
        ({"account": sdk.Account("customer:1", ())}, "at least one key"),
    ],
)
def test_an_event_that_cannot_be_right_is_refused(wrong: dict[str, Any], said: str) -> None:
    """A malformed kind, a naive time and an account without keys are refused with what to write."""
    fields: dict[str, Any] = {"kind": "ticket.solved", "occurred_at": AT, "account": ACME}
    assert sdk.Event(**fields).kind == "ticket.solved"
    with pytest.raises(ValueError, match=said):
        sdk.Event(**fields | wrong)


def test_keys_are_compared_in_one_form() -> None:
    """Addresses and domains compare in lower case, and a membership is a key of another relation."""
    assert sdk.keys.email(" Ann@Acme.TEST ") == sdk.Key("email", "ann@acme.test")
    assert sdk.keys.domain("WWW.Acme.test") == sdk.Key("domain", "acme.test")
    assert sdk.keys.member_of(sdk.keys.group("g")) == sdk.Key("segment.group", "g", sdk.Relation.MEMBER)
    assert sdk.keys.external("stripe.customer", "cus_1").kind == "external:stripe.customer"


def test_money_is_whole_minor_units_of_its_currency() -> None:
    """Two decimals, or what ISO 4217 says; what is finer is rounded half to even."""
    amounts = [("19.99", "EUR"), ("1999", "JPY"), ("1.999", "KWD"), ("0.125", "USD"), ("0.135", "USD")]
    found = [sdk.Amount.of(Decimal(amount), currency).minor for amount, currency in amounts]
    assert found == [1999, 1999, 1999, 12, 14]
