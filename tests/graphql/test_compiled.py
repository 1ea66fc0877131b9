"""Compiled or resolved: the same bytes, and a plan is what answers.

A run compares some hundred operations; HUB_TEST_OPERATIONS=20000 compares so many.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from random import Random

import orjson
import pytest
import structlog
from graphql import GraphQLError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hub.access.service import Role, Viewer
from hub.graphql.compiled.errors import Unplanned
from hub.graphql.context import Context
from hub.graphql.http import encoded
from hub.graphql.schema import HubSchema
from hub.kit.errors import HubError
from hub.kit.runtime import Kit
from tests.graphql.conftest import Client
from tests.graphql.operations import Maker, Operation
from tests.graphql.world import NOW

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERATIONS = int(os.environ.get("HUB_TEST_OPERATIONS", "100"))
RESOLVED, COMPILED = HubSchema(seconds=300, compiled=False), HubSchema(seconds=300)
VIEWERS = (
    *[Viewer("test", Role.CSM)] * 6,
    Viewer("test", Role.ADMIN),
    Viewer("test", Role.MARKETING),
    Viewer("test", Role.CSM, owner="ada@hub.example"),
)


@dataclass
class Anyone:
    """A credential that is believed."""

    known: Viewer

    async def viewer(self) -> Viewer:
        return self.known


async def answered(schema: HubSchema, kit: Kit, operation: Operation, viewer: Viewer) -> bytes:
    """The answer as it is sent, at a moment of the world."""
    context = Context(kit, Anyone(viewer), viewer, request_id="r")
    context.now = NOW
    return orjson.dumps(encoded(await schema.execute(operation.text, dict(operation.variables), context)))


def is_planned(kit: Kit, operation: Operation, viewer: Viewer) -> bool:
    """Whether the operation is answered by a plan."""
    document = COMPILED.ready(operation.text).document
    assert document
    assert COMPILED.plans
    context = Context(kit, Anyone(viewer), viewer, request_id="r")
    try:
        return COMPILED.plans.ready(operation.text, document, None, dict(operation.variables), context) is not None
    except (Unplanned, HubError, GraphQLError):
        return False


@settings(
    max_examples=OPERATIONS,
    derandomize=OPERATIONS <= 100,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**64))
async def test_both_ways_give_the_same_bytes(reader: Client, seed: int) -> None:
    """Over random operations and viewers, with arguments that are refused."""
    chance = Random(seed)
    operation, viewer = Maker(COMPILED.core, chance).make(), chance.choice(VIEWERS)
    errors = RESOLVED.ready(operation.text).errors
    assert not errors or "DOCUMENT_TOO" in str([error.extensions for error in errors]), errors
    resolved = await answered(RESOLVED, reader.kit, operation, viewer)
    with structlog.testing.capture_logs() as logs:
        assert await answered(COMPILED, reader.kit, operation, viewer) == resolved
    assert logs == []


async def test_most_of_these_operations_have_a_plan(reader: Client) -> None:
    """Else the test above would compare the resolvers with themselves."""
    operations = [Maker(COMPILED.core, Random(seed)).make() for seed in range(30)]
    planned = sum(is_planned(reader.kit, operation, VIEWERS[0]) for operation in operations)
    assert planned >= 15
