"""The in-app channel at the intake: what a page may read of a refusal, and what of a report is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import httpx
import orjson
from hub_inapp import InApp
from hub_inapp.connector import sign
from sqlalchemy import text

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.compression import unpack
from hub.connections.jobs import drain_deliveries
from hub.connections.registry import Registry
from hub.connections.webhooks import Intake
from hub.kit.runtime import Kit

SECRET = "the secret of the product's server"


async def post(intake: Intake, path: str, body: object, method: str = "POST") -> httpx.Response:
    transport = httpx.ASGITransport(app=intake)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as page:
        return await page.request(method, f"/in/product/{path}", content=orjson.dumps(body))


async def test_a_page_reads_refusals_and_its_signature_is_not_stored(kit: Kit) -> None:
    """Each refusal says to the page what it is; the report is stored without what proves its user."""
    with registry.using(Registry.of(InApp)) as found:
        async with kit.transaction() as session:
            config = {"secret": SECRET}
            await connections.add(session, kit.vault, found, "inapp", "product", config, now=kit.clock.now())
        intake = Intake(kit)
        genuine = sign(SECRET, "usr_1")
        report = {
            "id": str(uuid4()),
            "type": "shown",
            "message": str(uuid4()),
            "user": "usr_1",
            "at": datetime.now(UTC).isoformat(),
        }
        for path, body, method, status in (
            ("events", {**report, "signature": genuine}, "POST", 200),
            ("events", {**report, "signature": "forged"}, "POST", 401),
            ("messages", {"user": "usr_1", "signature": "forged"}, "POST", 401),
            ("nowhere", {}, "POST", 404),
            ("events", {}, "PUT", 405),
            ("events", {**report, "signature": genuine, "text": "x" * 20_000}, "POST", 413),
        ):
            answer = await post(intake, path, body, method)
            assert answer.status_code == status, (path, answer.text)
            assert answer.headers["access-control-allow-origin"] == "*", (path, status)
        await intake.close()
        async with kit.reading() as session:
            [stored] = (await session.execute(text("SELECT body FROM webhook_delivery"))).scalars().all()
        assert genuine.encode() not in unpack(stored)
        assert await drain_deliveries(kit) == 1
        async with kit.reading() as session:
            assert (await session.execute(text("SELECT count(*) FROM raw_record"))).scalar_one() == 1
