"""Logs carry fields, and blot out what must not be read."""

from __future__ import annotations

import logging

import orjson
import pytest
import structlog

from hub.kit.log import configure_logging, redact


@pytest.fixture(autouse=True)
def restored() -> object:
    """Logging is global: give it back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_secrets_are_blotted_out() -> None:
    """By the field's name, and by the shape of a URL with a password."""
    event = redact(None, "info", {"event": "x", "api_key": "k", "url": "redis://u:p@host/0", "count": 3})
    assert event == {"event": "x", "api_key": "[redacted]", "url": "redis://[redacted]@host/0", "count": 3}


def test_json_lines_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object a line, from structlog and from the standard library alike, and only from the level on."""
    configure_logging("info", "json")
    structlog.get_logger().info("sync.page", records=3, token="t")
    structlog.get_logger().debug("sync.detail")
    logging.getLogger("elsewhere").warning("careful")
    first, second = (orjson.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["records"], first["token"]) == ("sync.page", 3, "[redacted]")
    assert (second["event"], second["level"]) == ("careful", "warning")
