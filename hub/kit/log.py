"""Structured logs: one event name and its fields a line, secrets blotted out, to standard error."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

SECRET_FIELD = re.compile(r"secret|token|password|authorization|api_?key|write_?key|credential|cookie|signature", re.I)
SECRET_IN_URL = re.compile(r"(?<=://)[^/@\s]+:[^/@\s]+(?=@)")


def configure_logging(level: str = "info", form: Literal["console", "json"] = "console") -> None:
    """Set up structlog and route the standard library's loggers through it."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The default prints local variables, and among them secrets.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer] if form == "json" else [*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_drop_internals, renderer])
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # It reports each attempt to connect; what comes of them is said once, by whoever connects.
    logging.getLogger("arq.connections").setLevel(logging.ERROR)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out the values of fields named like secrets, and passwords inside URLs."""
    for name, value in event.items():
        if SECRET_FIELD.search(name):
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = SECRET_IN_URL.sub("[redacted]", value)
    return event


def _drop_internals(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(_logger, _method, event)
