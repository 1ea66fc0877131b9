"""The shapes of payment: invoice, charge, and what undoes them in part or whole."""

from hub.sandbox import books
from hub.sandbox.shapes.version import Json, moved


def invoice(fact: books.Invoice, version: str) -> Json:
    paid = fact.status == "paid"
    shape: Json = {
        "id": fact.id,
        "object": "invoice",
        "account_country": "IE",
        "account_name": "Sandbox Ltd",
        "amount_due": fact.amount,
        "amount_paid": fact.amount if paid else 0,
        "amount_remaining": 0 if paid else fact.amount,
        "attempt_count": fact.attempts,
        "attempted": fact.attempts > 0,
        "auto_advance": not paid,
        "billing_reason": fact.reason,
        "collection_method": "charge_automatically",
        "created": fact.created,
        "currency": fact.currency,
        "customer": fact.customer,
        "customer_email": fact.customer_email,
        "customer_name": fact.customer_name,
        "due_date": None,
        "lines": {
            "object": "list",
            "data": [_line(fact, version)],
            "has_more": False,
            "total_count": 1,
            "url": f"/v1/invoices/{fact.id}/lines",
        },
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": fact.next_attempt,
        "number": None if fact.status == "draft" else fact.number,
        "period_end": fact.period_end,
        "period_start": fact.period_start,
        "status": fact.status,
        "status_transitions": {
            "finalized_at": None if fact.status == "draft" else fact.created,
            "marked_uncollectible_at": None,
            "paid_at": fact.paid_at,
            "voided_at": None,
        },
        "subtotal": fact.amount,
        "total": fact.amount,
    }
    if not moved(version):
        return shape | {
            "charge": fact.charge,
            "paid": paid,
            "payment_intent": fact.payment_intent,
            "subscription": fact.subscription,
            "tax": None,
        }
    parent = None
    if fact.subscription is not None:
        details = {"metadata": {}, "subscription": fact.subscription}
        parent = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
    return shape | {"parent": parent, "total_taxes": []}


def charge(fact: books.Charge, version: str) -> Json:
    failed = fact.failure is not None
    shape: Json = {
        "id": fact.id,
        "object": "charge",
        "amount": fact.amount,
        "amount_captured": 0 if failed else fact.amount,
        "amount_refunded": fact.amount_refunded,
        "billing_details": {"address": None, "email": fact.email, "name": None, "phone": None},
        "captured": not failed,
        "created": fact.created,
        "currency": fact.currency,
        "customer": fact.customer,
        "description": "Subscription update",
        "disputed": fact.disputed,
        "failure_code": "card_declined" if failed else None,
        "failure_message": fact.failure,
        "livemode": False,
        "metadata": {},
        "outcome": {
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": not failed,
        "payment_intent": fact.payment_intent,
        "receipt_email": None,
        "refunded": fact.amount_refunded == fact.amount,
        "status": "failed" if failed else "succeeded",
    }
    return shape if moved(version) else shape | {"invoice": fact.invoice}


def refund(fact: books.Refund) -> Json:
    return {
        "id": fact.id,
        "object": "refund",
        "amount": fact.amount,
        "charge": fact.charge,
        "created": fact.created,
        "currency": fact.currency,
        "metadata": {},
        "payment_intent": fact.payment_intent,
        "reason": fact.reason,
        "receipt_number": None,
        "status": "succeeded",
    }


def dispute(fact: books.Dispute) -> Json:
    return {
        "id": fact.id,
        "object": "dispute",
        "amount": fact.amount,
        "balance_transactions": [],
        "charge": fact.charge,
        "created": fact.created,
        "currency": fact.currency,
        "evidence_details": {
            "due_by": fact.created + 14 * 86_400,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": fact.payment_intent,
        "reason": fact.reason,
        "status": fact.status,
    }


def credit_note(fact: books.CreditNote, version: str) -> Json:
    shape: Json = {
        "id": fact.id,
        "object": "credit_note",
        "amount": fact.amount,
        "created": fact.created,
        "currency": fact.currency,
        "customer": fact.customer,
        "invoice": fact.invoice,
        "livemode": False,
        "memo": None,
        "metadata": {},
        "number": fact.number,
        "reason": fact.reason,
        "status": "issued",
        "subtotal": fact.amount,
        "total": fact.amount,
        "type": "post_payment",
        "voided_at": None,
    }
    return {**shape, "refunds": []} if moved(version) else {**shape, "refund": None}


def _line(fact: books.Invoice, version: str) -> Json:
    line: Json = {
        "id": f"il_{fact.id[3:]}",
        "object": "line_item",
        "amount": fact.amount,
        "currency": fact.currency,
        "description": f"{fact.quantity} × licence",
        "period": {"end": fact.period_end, "start": fact.period_start},
        "quantity": fact.quantity,
    }
    if not moved(version):
        kind = "invoiceitem" if fact.subscription is None else "subscription"
        return line | {"subscription": fact.subscription, "type": kind}
    details = {"price": f"price_{fact.product[5:]}", "product": fact.product}
    return line | {"pricing": {"price_details": details, "type": "price_details"}}
