"""All tables, gathered: what the migrations are compared with."""

from sqlalchemy import MetaData

from hub.kit.db import Base

metadata: MetaData = Base.metadata

__all__ = ["metadata"]
