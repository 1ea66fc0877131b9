"""13: deliveries."""

from tests.sdk.broken import CONNECTOR, FIXTURES, broken

SENT = f"{FIXTURES}/webhooks/deliveries."
SCHEME = "sdk.StandardWebhooks()"
OPEN = """class Open(sdk.StandardWebhooks):
    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        return


"""
OTHER = 'case "survey.closed":\n                raise ValueError("what is that?")\n            '

BROKEN = [
    broken(
        "no delivery is shown", "webhook.fixtures", (f"{SENT}created.json", "", ""), (f"{SENT}deleted.json", "", "")
    ),
    broken(
        "a secret cannot be rotated",
        "webhook.rotated",
        (CONNECTOR, "if secret is not None]", "if secret is not None][:1]"),
    ),
    broken(
        "a genuine one cannot be read", "webhook.genuine", (CONNECTOR, 'case "answer.deleted":', 'case "answer.gone":')
    ),
    broken(
        "an old one passes",
        "webhook.stale webhook.future",
        (CONNECTOR, SCHEME, "sdk.StandardWebhooks(timedelta(days=1))"),
    ),
    broken(
        "anything passes",
        "webhook.changed webhook.stale webhook.future webhook.forged webhook.unsigned",
        (CONNECTOR, SCHEME, "Open()"),
        (CONNECTOR, "class Acme(", f"{OPEN}class Acme("),
    ),
    broken(
        "each delivery is new",
        "webhook.doubled",
        (CONNECTOR, 'delivery.headers["webhook-id"]', "str(delivery.received_at)"),
    ),
    broken(
        "versions do not sort",
        "webhook.order",
        (CONNECTOR, 'f"{answer.revision:06}"', 'f"{answer.answered_at:%d.%m.%Y %H:%M}"'),
    ),
    broken(
        "an unknown type is a failure",
        "webhook.unknown",
        (CONNECTOR, 'case "answer.deleted":', f'{OTHER}case "answer.deleted":'),
    ),
]
