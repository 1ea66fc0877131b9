"""An OpenID Connect provider behind a socket: discovery, keys that rotate, and tokens as it or a forger makes them."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub.kit.loopback import serve

AUDIENCE = "journey-hub"


@cache
def new_key(id_: str, whose: str = "provider") -> RSAKey:
    """A key; making one takes a while, so each name has its own for the whole run."""
    return RSAKey.generate_key(2048, {"kid": id_, "use": "sig", "alg": "RS256"})


@dataclass
class ProviderDouble:
    """What the provider knows; `asked` are the paths that were asked for."""

    issuer: str = ""
    keys: list[RSAKey] = field(default_factory=lambda: [new_key("first")])
    calls_itself: str | None = None
    answers: bool = True
    asked: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/realm/.well-known/openid-configuration", self._describe),
                Route("/keys", self._keys),
            ]
        )

    def claims(self, now: datetime, **others: Any) -> dict[str, Any]:
        at = int(now.timestamp())
        return {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "user-1",
            "email": "ada@hub.example",
            "email_verified": True,
            "roles": ["staff", "cs-team"],
            "iat": at,
            "exp": at + 300,
        } | others

    def token(self, claims: dict[str, Any], key: RSAKey | None = None, algorithm: str = "RS256") -> str:
        """A token signed with the provider's newest key, or another one."""
        signing = key or self.keys[-1]
        return jwt.encode({"alg": algorithm, "kid": signing.kid}, claims, signing, algorithms=[algorithm])

    async def _describe(self, request: Request) -> JSONResponse:
        self.asked.append("discovery")
        if not self.answers:
            return JSONResponse({"error": "down"}, status_code=503)
        jwks = f"{self.issuer.removesuffix('/realm')}/keys"
        return JSONResponse({"issuer": self.calls_itself or self.issuer, "jwks_uri": jwks})

    async def _keys(self, request: Request) -> JSONResponse:
        self.asked.append("keys")
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})


@asynccontextmanager
async def provider() -> AsyncIterator[ProviderDouble]:
    """A provider, serving."""
    double = ProviderDouble()
    async with serve(double.app()) as address:
        double.issuer = f"{address}/realm"
        yield double


def unsigned(claims: dict[str, Any], algorithm: str = "none") -> str:
    """A token with the algorithm `none` and no signature."""
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'})}.{part(claims)}."


def signed_with_the_public_key(claims: dict[str, Any], key: RSAKey) -> str:
    """The old trick: HS256 with the provider's public key as the secret."""
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': key.kid})}.{part(claims)}"
    signature = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
