"""The server put together: probes, figures, request ids, and browsers from elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text
from starlette.applications import Starlette

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.asgi import create_app, is_local
from hub.graphql import credentials
from hub.graphql.credentials import KeyRing
from hub.kit import work
from hub.kit.runtime import Kit
from hub.kit.settings import Settings
from tests.graphql.conftest import counted


@asynccontextmanager
async def serving(settings: Settings, client: tuple[str, int] = ("127.0.0.1", 1)) -> AsyncIterator[httpx.AsyncClient]:
    app: Starlette = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as http:
            yield http


async def made(kit: Kit, role: Role, *, expires_in: timedelta | None = None) -> str:
    async with kit.transaction() as session:
        key = await access.create_key(session, SYSTEM, role, role, expires_in=expires_in, now=kit.clock.now())
    return key.secret


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


async def test_the_probes_say_whether_the_server_lives_and_can_answer(settings: Settings) -> None:
    """Both are open to everybody and tell no secrets."""
    async with serving(settings) as http:
        assert (await http.get("/healthz")).json() == {"alive": True}
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert ready.json()["problems"] == {"database": None, "broker": None, "migrations": None}


async def test_an_old_database_is_not_ready(unmigrated: Settings) -> None:
    """Without its tables the server says what to do, and still lives."""
    async with serving(unmigrated) as http:
        assert (await http.get("/healthz")).status_code == 200
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert "hub db upgrade" in ready.json()["problems"]["migrations"]


async def test_a_database_that_is_away_is_not_ready(settings: Settings) -> None:
    """The probe names what does not answer, and neither its host nor its user."""
    url = "postgresql+asyncpg://hub:secret@127.0.0.1:9/nowhere"
    async with serving(settings.model_copy(update={"database_url": url})) as http:
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        problems = ready.json()["problems"]
        assert problems == {"database": "does not answer", "broker": None, "migrations": "does not answer"}


async def test_figures_are_for_this_machine_or_an_admin(settings: Settings, kit: Kit) -> None:
    """From elsewhere, or through a proxy, it takes an admin's key."""
    admin, csm = await made(kit, Role.ADMIN), await made(kit, Role.CSM)
    async with kit.transaction() as session:
        await work.mark(session, "things_to_do", ["a", "b"], due_at=kit.clock.now())
    async with serving(settings) as here:
        figures = await here.get("/metrics")
        assert figures.status_code == 200
        assert 'hub_work_items{list="things_to_do"} 2.0' in figures.text
        assert (await here.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})).status_code == 403
    async with serving(settings, ("203.0.113.9", 1)) as elsewhere:
        assert (await elsewhere.get("/metrics")).status_code == 403
        assert (await elsewhere.get("/metrics", headers=bearer(csm))).status_code == 403
        assert (await elsewhere.get("/metrics", headers=bearer(admin))).status_code == 200


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        (("127.0.0.1", 1), [], True),
        (("::1", 1), [], True),
        (("127.0.0.1", 1), [(b"x-forwarded-for", b"1.2.3.4")], False),
        (("127.0.0.1", 1), [(b"forwarded", b"for=1.2.3.4")], False),
        (("10.0.0.1", 1), [], False),
        (("a socket", 1), [], False),
        (None, [], False),
    ],
)
def test_only_a_direct_request_from_loopback_is_local(
    client: tuple[str, int] | None, headers: list[tuple[bytes, bytes]], local: bool
) -> None:
    """What a proxy on the same machine hands on is not."""
    assert is_local({"client": client, "headers": headers}) is local


async def test_every_answer_names_its_request(settings: Settings) -> None:
    """A sensible id is taken over, anything else is replaced."""
    async with serving(settings) as http:
        taken = await http.get("/healthz", headers={"x-request-id": "trace-1.a_B"})
        assert taken.headers["x-request-id"] == "trace-1.a_B"
        for given in ("", "a b", "x" * 101, "a\u00e9"):
            answer = await http.get("/healthz", headers={"x-request-id": given.encode()})
            assert answer.headers["x-request-id"] != given
            assert len(answer.headers["x-request-id"]) == 32


async def test_browsers_from_listed_origins_may_call(settings: Settings, kit: Kit) -> None:
    """Others get no permission; credentials of the browser are never asked for."""
    secret = await made(kit, Role.CSM)
    listed = settings.model_copy(update={"cors_origins": ["https://screens.example"]})
    async with serving(listed) as http:
        for origin, allowed in (("https://screens.example", True), ("https://elsewhere.example", False)):
            preflight = await http.options(
                "/graphql",
                headers={
                    "origin": origin,
                    "access-control-request-method": "POST",
                    "access-control-request-headers": "authorization,content-type",
                },
            )
            assert ("access-control-allow-origin" in preflight.headers) is allowed
            answer = await http.post(
                "/graphql", json={"query": "{ viewer { role } }"}, headers={"origin": origin, **bearer(secret)}
            )
            assert answer.status_code == 200
            assert ("access-control-allow-origin" in answer.headers) is allowed
            assert "access-control-allow-credentials" not in answer.headers


async def test_the_explorer_can_be_switched_off(settings: Settings) -> None:
    """Neither the page nor its files are served then, and introspection is a setting of its own."""
    async with serving(settings.model_copy(update={"graphiql": False})) as http:
        assert (await http.get("/graphql", headers={"accept": "text/html"})).status_code == 406
        assert (await http.get("/graphql/explorer.js")).status_code == 404
    async with serving(settings) as http:
        assert (await http.get("/", follow_redirects=True, headers={"accept": "text/html"})).status_code == 200


async def test_introspection_can_be_switched_off(settings: Settings, kit: Kit) -> None:
    """The schema is not given away; the rest works."""
    secret = await made(kit, Role.CSM)
    async with serving(settings.model_copy(update={"introspection": False})) as http:
        for query, works in (("{ __schema { types { name } } }", False), ("{ __typename viewer { role } }", True)):
            answer = await http.post("/graphql", json={"query": query}, headers=bearer(secret))
            assert ("errors" not in answer.json()) is works


async def test_the_intake_is_mounted(settings: Settings) -> None:
    """`/in/…` answers for itself: there is no such connection."""
    async with serving(settings) as http:
        answer = await http.post("/in/nothing/events", json={})
        assert answer.status_code == 404


async def test_a_key_is_looked_up_once_and_refused_soon_after_it_was_revoked(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is believed for a few seconds; then the database is asked again."""
    secret, ring = await made(kit, Role.CSM), KeyRing(kit)
    viewer = await ring.viewer(secret)
    assert viewer is not None
    assert viewer.role is Role.CSM
    async with kit.transaction() as session:
        await access.revoke_key(session, SYSTEM, Role.CSM, now=kit.clock.now())
    assert await ring.viewer(secret) == viewer
    present = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: present + credentials.BELIEVED_SECONDS + 0.1)
    assert await ring.viewer(secret) is None


async def test_requests_that_come_together_share_one_look(kit: Kit) -> None:
    """Fifty requests with a key that is not believed any more cost one query."""
    secret, ring = await made(kit, Role.CSM), KeyRing(kit)
    with counted(kit) as statements:
        found = await asyncio.gather(*(ring.viewer(secret) for _ in range(50)))
    assert {viewer and viewer.role for viewer in found} == {Role.CSM}
    assert sum("FROM api_key" in statement for statement in statements) == 1


async def test_a_key_that_nobody_has_is_not_remembered(kit: Kit) -> None:
    """Guessing keys does not fill the memory, and a key made later is accepted at once."""
    ring = KeyRing(kit)
    for nth in range(20):
        assert await ring.viewer(f"hub_{nth}") is None
    assert not ring._known
    assert await ring.viewer(await made(kit, Role.VIEWER)) is not None


async def test_the_use_of_a_key_is_noted(kit: Kit) -> None:
    """An admin sees which keys are in use."""
    ring = KeyRing(kit)
    await ring.viewer(await made(kit, Role.CSM))
    async with kit.reading() as session:
        noted = (await session.execute(text("SELECT last_used_at FROM api_key"))).scalar_one()
    assert noted is not None
