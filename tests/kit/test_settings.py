"""Settings come from the environment; what is wrong is named, and values are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.kit.errors import SettingsInvalid
from hub.kit.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every test runs in an empty folder, so that no .env of the developer is read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_needs_to_be_set() -> None:
    """Without any setting the embedded servers are used, on loopback."""
    settings = load_settings()
    assert settings.embedded
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize("url", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+asyncpg://u@h/d"])
def test_usual_database_urls_are_understood(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whatever way a URL is written, the one driver is used."""
    monkeypatch.setenv("HUB_DATABASE_URL", url)
    assert load_settings().database_url == "postgresql+asyncpg://u@h/d"


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("HUB_DATABASE_URL", "mysql://root:hunter2@h/d", "only PostgreSQL is supported"),
        ("HUB_REDIS_URL", "amqp://guest:hunter2@h", "redis://"),
        ("HUB_PORT", "hunter2", "integer"),
        ("HUB_LOG_LEVEL", "hunter2", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    """The error names the variable and what would fit, and does not repeat a value that may hold a password."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert name in caught.value.message
    assert hint in caught.value.message
    assert "hunter2" not in str(caught.value)


def test_a_dotenv_file_is_read(elsewhere: Path) -> None:
    """A .env in the working directory counts."""
    (elsewhere / ".env").write_text("HUB_PORT=9001\n")
    assert load_settings().port == 9001
