"""Secrets at rest: a connection's configuration is encrypted with Fernet (AES-128-CBC, HMAC-SHA256).

The key comes from `HUB_SECRET_KEY`, or is generated once into the data directory with mode 0600. Older keys keep
decrypting while they are listed in `HUB_PREVIOUS_SECRET_KEYS`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.kit.errors import HubError, SettingsInvalid
from hub.kit.settings import Settings

MIN_KEY_LENGTH = 32


class Vault:
    """Seals and opens small JSON documents."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: the one that seals first, then those that may still open."""
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in keys])
        self._digest_keys = [_derived(key, b"hub keyed digest") for key in keys]

    def digests(self, value: str) -> list[str]:
        """Digests by which whoever has the key recognises a text, and nobody else can try one out (HMAC-SHA256, hex):
        the current key's first, then those of the keys before it."""
        text = value.encode("utf-8", "surrogatepass")
        return [hmac.new(key, text, hashlib.sha256).hexdigest() for key in self._digest_keys]

    def seal(self, document: dict[str, Any]) -> bytes:
        return self._fernet.encrypt(orjson.dumps(document))

    def open(self, sealed: bytes) -> dict[str, Any]:
        """Raises `HubError` when no key fits: the key was changed or the row was altered."""
        try:
            document: dict[str, Any] = orjson.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise HubError(
                "A stored secret cannot be decrypted with the current key.",
                remedy="Put the old key into HUB_PREVIOUS_SECRET_KEYS, or enter the connection's secrets again.",
            ) from None
        return document


def open_vault(settings: Settings) -> Vault:
    """The vault for these settings; generates the key file on first use."""
    if settings.secret_key is not None:
        key = settings.secret_key.get_secret_value()
        if len(key) < MIN_KEY_LENGTH:
            raise SettingsInvalid(
                f"HUB_SECRET_KEY has fewer than {MIN_KEY_LENGTH} characters.",
                remedy="Make one with: openssl rand -base64 32",
            )
    else:
        key = _generated_key(settings.data_dir / "secret.key")
    return Vault([key, *(previous.get_secret_value() for previous in settings.previous_secret_keys)])


def _generated_key(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(32)
        file.write(key + "\n")
    return key


def _fernet_key(key: str) -> bytes:
    return base64.urlsafe_b64encode(_derived(key, b"hub connection config"))


def _derived(key: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key.encode())
