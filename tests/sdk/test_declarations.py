"""A connector is judged by what it declares; each complaint names what to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from hub import sdk
from hub.sdk.declarations import complaints
from hub.sdk.manifest import Manifest, manifest_of


class DeskConfig(BaseModel):
    """What it takes."""

    subdomain: str
    api_key: SecretStr
    page: int = 100


class Ticket(BaseModel):
    """A ticket."""

    id: str


class Since(BaseModel):
    """A cursor."""

    at: str | None = None


class Comment(BaseModel):
    """What to say."""

    text: str


class Desk(sdk.Connector[DeskConfig]):
    """Tickets of an invented desk."""

    id = "desk"
    name = "Desk"
    Config = DeskConfig

    @classmethod
    def hosts(cls, config: DeskConfig) -> list[str]:
        return [f"https://{config.subdomain}.desk.test"]

    async def check(self) -> str:
        return "tenant"

    @sdk.stream(
        record=Ticket,
        cursor=Since,
        key=lambda ticket: ticket.id,
        version=lambda ticket: "1",
        emits={"ticket.created", "x.desk.ticket.praised"},
        interval=timedelta(minutes=2),
    )
    async def tickets(self, cursor: Since | None) -> AsyncIterator[sdk.Page]:
        """Tickets."""
        yield sdk.Page([], Since())

    @tickets.normalize
    def _(self, ticket: Ticket) -> Iterable[sdk.Event]:
        return ()

    @sdk.webhook(
        path="events/{kind}",
        signature=sdk.StandardWebhooks(),
        secrets=lambda config: [config.api_key.get_secret_value()],
        handles={"tickets"},
    )
    def events(self, delivery: sdk.Delivery) -> Iterable[sdk.Received]:
        """Tickets, pushed."""
        return ()

    @sdk.endpoint(path="waiting", signature=sdk.HexHmac("X-S"), secrets=lambda config: [])
    async def waiting(self, delivery: sdk.Delivery) -> sdk.Reply:
        """What waits."""
        return sdk.Reply()

    @sdk.action(input=Comment, output=Ticket, idempotency="native", emits="ticket.created", scopes=("write",))
    async def comment(self, wanted: Comment, key: str) -> Ticket:
        """Say something on a ticket.

        More about it.
        """
        return Ticket(id="1")


def test_a_good_connector_has_nothing_to_complain_of() -> None:
    """Streams, webhooks, endpoints and actions as they should be."""
    assert complaints(Desk) == []


def test_a_manifest_follows_from_the_decorators() -> None:
    """Everything promised stands in the manifest, sorted, and it survives JSON."""
    found = manifest_of(Desk)
    assert (found.id, found.name, found.api, found.description) == ("desk", "Desk", 1, "Tickets of an invented desk.")
    assert found.hosts == ["https://{subdomain}.desk.test"]
    assert found.emits == ["ticket.created", "x.desk.ticket.praised"]
    assert found.scopes == ["write"]
    assert [(stream.name, stream.interval_seconds, stream.refetches) for stream in found.streams] == [
        ("tickets", 120.0, False)
    ]
    assert [(hook.path, hook.handles, hook.signature) for hook in found.webhooks] == [
        ("events/{kind}", ["tickets"], "StandardWebhooks")
    ]
    assert [(door.method, door.path) for door in found.endpoints] == [("GET", "waiting")]
    assert found.actions[0].description == "Say something on a ticket."
    assert found.actions[0].input["properties"]["text"]["type"] == "string"
    assert found.config["properties"]["api_key"]["writeOnly"] is True
    assert Manifest.model_validate_json(found.model_dump_json()) == found


def test_hosts_that_only_a_configuration_knows_are_left_open() -> None:
    """A connector that looks its hosts up has none in its manifest, and that is no error."""

    class Regional(Desk):
        @classmethod
        def hosts(cls, config: DeskConfig) -> list[str]:
            return [{"eu": "https://eu.desk.test"}[config.subdomain]]

    assert manifest_of(Regional).hosts is None


def desk(**members: Any) -> type[Desk]:
    return type("Changed", (Desk,), members)


class Careless(BaseModel):
    """A configuration with secrets in plain sight."""

    subdomain: str
    api_key: str
    inner: dict[str, Comment]
    signing_secret: SecretStr | None = None


def stream_like(**changed: Any) -> sdk.Stream[Any]:
    fields = {name: getattr(Desk.streams["tickets"], name) for name in Desk.streams["tickets"].__dataclass_fields__}
    return sdk.Stream(**fields | changed)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"id": "Desk!"}, "lower case letters"),
        ({"id": None}, "id is missing"),
        ({"Config": dict}, "a pydantic model"),
        ({"Config": Careless}, "Config.api_key holds a secret: type it as pydantic.SecretStr"),
        ({"api": 2}, "api = 2 is not served"),
        ({"check": sdk.Connector.check}, "check() is missing"),
        ({"tickets": stream_like(normalizer=None)}, "@tickets.normalize"),
        ({"tickets": stream_like(emits=frozenset({"ticket.praised"}))}, "emits 'ticket.praised'"),
        ({"tickets": stream_like(emits=frozenset({"x.other.ticket.praised"}))}, "x.desk.object.action"),
        ({"tickets": stream_like(emits=frozenset())}, "emits nothing"),
        ({"tickets": stream_like(interval=timedelta(milliseconds=1))}, "longer interval"),
        ({"tickets": None}, "handles 'tickets', which is no stream"),
    ],
)
def test_what_is_wrong_is_named(members: dict[str, Any], said: str) -> None:
    """Each fault of a declaration is one complaint that says what to write."""
    found = complaints(desk(**members))
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize("path", ["/events", "events/", "a//b", "a b", "events/{Kind}", "x{kind}", ""])
def test_a_path_is_segments(path: str) -> None:
    """A webhook's path is made of plain segments and whole `{parts}`."""
    door = sdk.endpoint(path=path, signature=sdk.HexHmac("X-S"), secrets=lambda config: [])(
        Desk.endpoints["waiting"].answer
    )
    assert "path" in complaints(desk(more=door))[0]


def test_two_doors_cannot_have_one_address() -> None:
    """The same method and path twice is refused; another method is another door."""
    same = sdk.endpoint(path="waiting", signature=sdk.HexHmac("X-S"), secrets=lambda config: [])
    other = sdk.endpoint(path="waiting", method="POST", signature=sdk.HexHmac("X-S"), secrets=lambda config: [])
    answer = Desk.endpoints["waiting"].answer
    assert "declared twice" in complaints(desk(more=same(answer)))[0]
    assert complaints(desk(more=other(answer))) == []


def test_a_member_that_is_overridden_is_declared_no_more() -> None:
    """A subclass may take a stream or an action away."""
    without = desk(comment=None)
    assert without.actions == {}
    assert set(Desk.actions) == {"comment"}


def test_facts_leave_through_one_outlet() -> None:
    """A connector with two is refused, as their order would be two; the manifest tells of the one."""

    async def messages(self: Any, fact: sdk.Fact) -> None:
        """Tell what happened."""

    declare = sdk.outlet(topics=lambda config: ["*"])
    one = desk(messages=declare(messages))
    assert complaints(one) == []
    [outlet] = manifest_of(one).outlets
    assert (outlet.name, outlet.description) == ("messages", "Tell what happened.")
    assert "a connector has one" in complaints(desk(messages=declare(messages), more=declare(messages)))[0]
