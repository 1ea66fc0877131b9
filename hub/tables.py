"""All tables, gathered: what the migrations are compared with."""

from sqlalchemy import MetaData

from hub.access import model as access
from hub.accounts import model as accounts
from hub.blueprint import model as blueprint
from hub.connections import model as connections
from hub.digests import model as digests
from hub.feedback import model as feedback
from hub.health import model as health
from hub.journeys import model as journeys
from hub.kit import outbox, work
from hub.kit.db import Base
from hub.plays import model as plays
from hub.timeline import model as timeline

ROOMS = (work, outbox, access, connections, blueprint, accounts, timeline, journeys, health, plays, feedback, digests)
"""The modules that define tables; importing them is what fills the metadata."""

metadata: MetaData = Base.metadata

UNCOMPARED = frozenset(f"ix_{table}_{what}" for table in ("account", "person") for what in ("words", "likeness"))
"""Indexes over expressions that stand in a migration alone: see `hub.accounts.model.ACCOUNT_TEXT`."""


def is_compared(name: str | None, kind: str, parents: object) -> bool:
    """Whether something of the database is compared with the models."""
    return kind != "index" or name not in UNCOMPARED
