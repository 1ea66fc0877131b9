"""Tokens: who may come in. A JWT's signature, issuer, subject, audience and expiry are checked as Salesforce does.

Source: https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from random import Random
from string import ascii_letters, digits
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.sandbox.salesforce.refusals import TokenRefusal

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_LIFE: Final = timedelta(minutes=5)


@cache
def private_key() -> RSAPrivateKey:
    """The key of the app's certificate: made when it is first asked for, one for the process."""
    return generate_private_key(65537, 2048)


def private_pem() -> str:
    """The same as the text that a person pastes."""
    return private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(slots=True)
class ConnectedApp:
    """A connected app with its certificate's key and its secret, for one integration user."""

    rng: Random
    clock: Callable[[], datetime]
    client_id: str
    client_secret: str
    username: str
    audience: str = "https://login.salesforce.com"
    good: set[str] = field(default_factory=set)
    """Tokens that are accepted; taking one out expires it."""
    issued: int = 0

    def grant(self, form: Mapping[str, str]) -> str:
        """A new access token. Raises `TokenRefusal`."""
        match form.get("grant_type"):
            case "client_credentials":
                self._check_secret(form)
            case grant if grant == JWT_BEARER:
                self._check_assertion(form.get("assertion", ""))
            case _:
                raise TokenRefusal("unsupported_grant_type", "grant type not supported")
        self.issued += 1
        token = "00D!" + "".join(self.rng.choices(ascii_letters + digits, k=80))
        self.good.add(token)
        return token

    def expire(self) -> None:
        """Ends every session."""
        self.good.clear()

    def _check_secret(self, form: Mapping[str, str]) -> None:
        if form.get("client_id") != self.client_id:
            raise TokenRefusal("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(form.get("client_secret", "").encode(), self.client_secret.encode()):
            raise TokenRefusal("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str) -> None:
        signed, _, signature = assertion.rpartition(".")
        head, _, body = signed.partition(".")
        try:
            header, claims = _json(head), _json(body)
            private_key().public_key().verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        except (ValueError, binascii.Error, InvalidSignature):
            raise TokenRefusal("invalid_grant", "invalid assertion") from None
        if header.get("alg") != "RS256":
            raise TokenRefusal("invalid_grant", "invalid assertion")
        if claims.get("iss") != self.client_id:
            raise TokenRefusal("invalid_client_id", "client identifier invalid")
        if claims.get("aud") != self.audience:
            raise TokenRefusal("invalid_grant", "audience is invalid")
        if claims.get("sub") != self.username:
            raise TokenRefusal("invalid_grant", "user hasn't approved this consumer")
        now, expires = self.clock().timestamp(), claims.get("exp", 0)
        if not now < expires <= now + _LONGEST_LIFE.total_seconds():
            raise TokenRefusal("invalid_grant", "expired authorization code")


def _json(part: str) -> dict[str, Any]:
    found = orjson.loads(_decoded(part))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
