"""The one package that a plugin imports.

```python
from hub import sdk

class Acme(sdk.Connector[Config]):
    id, name, Config = "acme", "Acme Surveys", Config

    @sdk.stream(record=Answer, cursor=Since, key=lambda a: a.id, version=lambda a: a.updated, emits={"survey.answered"})
    async def answers(self, cursor): ...

    @answers.normalize
    def _(self, answer): ...

@sdk.hookimpl
def hub_register_connectors(register):
    register(Acme)
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hub.sdk import errors, keys
from hub.sdk.connector import (
    Action,
    Connector,
    Endpoint,
    Fact,
    Host,
    Outlet,
    Page,
    Rate,
    Received,
    Refetch,
    Stream,
    Tier,
    Tombstone,
    Webhook,
)
from hub.sdk.declaring import action, endpoint, outlet, pushed, stream, webhook
from hub.sdk.events import Account, Amount, Change, Event, Flow, Key, Person, Relation, Subject
from hub.sdk.expecting import expect
from hub.sdk.mailbox import Mailbox, Message
from hub.sdk.plugins import hookimpl
from hub.sdk.webhooks import (
    Delivery,
    HexHmac,
    Reply,
    Signature,
    Signing,
    StandardWebhooks,
    check_age,
    matches_any,
    signed_at,
)

if TYPE_CHECKING:
    from hub.sdk import testing

__all__ = [
    "Account",
    "Action",
    "Amount",
    "Change",
    "Connector",
    "Delivery",
    "Endpoint",
    "Event",
    "Fact",
    "Flow",
    "HexHmac",
    "Host",
    "Key",
    "Mailbox",
    "Message",
    "Outlet",
    "Page",
    "Person",
    "Rate",
    "Received",
    "Refetch",
    "Relation",
    "Reply",
    "Signature",
    "Signing",
    "StandardWebhooks",
    "Stream",
    "Subject",
    "Tier",
    "Tombstone",
    "Webhook",
    "action",
    "check_age",
    "endpoint",
    "errors",
    "expect",
    "hookimpl",
    "keys",
    "matches_any",
    "outlet",
    "pushed",
    "signed_at",
    "stream",
    "testing",
    "webhook",
]


def __getattr__(name: str) -> Any:
    """`sdk.testing` is imported when it is asked for: a hub at work needs none of it."""
    if name == "testing":
        return import_module("hub.sdk.testing")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
