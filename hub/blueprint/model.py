"""Stored versions of the blueprint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base


class BlueprintVersion(Base):
    """One immutable version; the newest is in force. `digest` is the SHA-256 of the canonical document."""

    __tablename__ = "blueprint_version"

    version: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    digest: Mapped[str]
    document: Mapped[dict[str, Any]]
    applied_at: Mapped[datetime]
    applied_by: Mapped[str]
