"""Secrets at rest: sealed with a key that is made once, readable only by its user, and can be rotated."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.kit.crypto import Vault, open_vault
from hub.kit.errors import HubError, SettingsInvalid
from hub.kit.settings import Settings


def settings(folder: Path, **fields: object) -> Settings:
    return Settings(data_dir=folder, _env_file=None, **fields)


def test_the_generated_key_is_private_and_stays(tmp_path: Path) -> None:
    """The key file has mode 0600, and a second process opens what the first one sealed."""
    sealed = open_vault(settings(tmp_path / "data")).seal({"api_key": "sk_live_1"})
    assert stat.S_IMODE((tmp_path / "data" / "secret.key").stat().st_mode) == 0o600
    assert open_vault(settings(tmp_path / "data")).open(sealed) == {"api_key": "sk_live_1"}


def test_what_is_sealed_shows_nothing(tmp_path: Path) -> None:
    """The secret does not occur in the sealed bytes, and sealing twice gives different bytes."""
    vault = open_vault(settings(tmp_path))
    first, second = vault.seal({"api_key": "sk_live_1"}), vault.seal({"api_key": "sk_live_1"})
    assert b"sk_live_1" not in first
    assert first != second


def test_a_rotated_key_still_opens_and_a_foreign_one_does_not() -> None:
    """An old key opens while it is listed; without it the error says what to do."""
    sealed = Vault(["old " * 10]).seal({"a": 1})
    assert Vault(["new " * 10, "old " * 10]).open(sealed) == {"a": 1}
    with pytest.raises(HubError) as caught:
        Vault(["new " * 10]).open(sealed)
    assert "HUB_PREVIOUS_SECRET_KEYS" in caught.value.remedy


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    """A key that can be guessed is no key."""
    with pytest.raises(SettingsInvalid, match="fewer than 32"):
        open_vault(settings(tmp_path, secret_key=SecretStr("short")))
