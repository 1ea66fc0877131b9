"""Bearer tokens of an OpenID Connect provider: who signs in elsewhere asks the hub with the token from there.

The provider is found by discovery (OpenID Connect Discovery 1.0), its keys are read from its JWKS and read again when a
token names a key that is not among them (that is how providers rotate). A token is a JWT (RFC 7519) signed with one of
`ALGORITHMS`; `none` and shared secrets are not among them, so neither an unsigned token nor one that is signed with
the provider's public key as if it were a secret is ever accepted. Issuer, audience and expiry must be there and right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog
from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from hub.access.service import Role, Viewer
from hub.kit.clock import Clock
from hub.kit.errors import SettingsInvalid, Unreachable
from hub.kit.settings import Settings

log = structlog.get_logger()

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
LEEWAY_SECONDS: Final = 60
"""By how much the provider's clock may differ from ours."""

KEYS_BELIEVED_SECONDS: Final = 3_600.0
"""After this the keys are read again: a key that the provider took back is refused from then on, if it answers."""

KEYS_AT_MOST_EVERY_SECONDS: Final = 10.0
"""How often unknown key ids, which anybody can make up, may make us ask the provider."""

LONGEST_TOKEN: Final = 16_000
LONGEST_ANSWER: Final = 500_000
STRONGEST_FIRST: Final = (Role.ADMIN, Role.CSM, Role.VIEWER, Role.MARKETING, Role.PLUGIN, Role.INGEST)


class TokenRefused(Exception):
    """The token proves nothing; the message says why, and may be shown to whoever sent it."""


@dataclass(slots=True)
class _Keys:
    found: KeySet
    read_at: float


@dataclass(slots=True)
class Provider:
    """One OpenID Connect provider, as the settings name it."""

    settings: Settings
    clock: Clock
    http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(timeout=5.0, follow_redirects=False, trust_env=False)
    )
    _keys: _Keys | None = None
    _asked_at: float = float("-inf")
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def viewer(self, token: str) -> tuple[Viewer, float]:
        """Whose token it is, and for how many seconds from now it is good.

        Raises `TokenRefused`, and `Unreachable` when the provider is needed and does not answer.
        """
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused(f"The token is longer than {LONGEST_TOKEN} characters.")
        claims = await self._claims(token)
        return self._viewer(claims), float(claims["exp"]) + LEEWAY_SECONDS - self.clock.now().timestamp()

    async def close(self) -> None:
        """End the connections to the provider."""
        await self.http.aclose()

    async def _claims(self, token: str) -> Mapping[str, Any]:
        now = int(self.clock.now().timestamp())
        registry = jwt.JWTClaimsRegistry(
            now,
            LEEWAY_SECONDS,
            iss={"essential": True, "value": str(self.settings.oidc_issuer)},
            aud={"essential": True, "value": str(self.settings.oidc_audience)},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            decoded = await self._decoded(token)
            registry.validate(decoded.claims)
        except JoseError as error:
            raise TokenRefused(f"The token is not accepted: {error.description or error.error}") from None
        except (ValueError, TypeError, KeyError, RecursionError):
            raise TokenRefused("The token is not a signed JWT.") from None
        return decoded.claims

    async def _decoded(self, token: str) -> jwt.Token:
        jws.extract_compact(token.encode()).headers()  # what is no token costs the provider no question
        keys = await self._key_set()
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (InvalidKeyIdError, ValueError):
            newer = await self._key_set(behind=keys)
            if newer is keys:
                raise
            return jwt.decode(token, newer, algorithms=ALGORITHMS)

    async def _key_set(self, behind: KeySet | None = None) -> KeySet:
        """The provider's keys; with `behind`, newer ones than these, unless they were asked for a moment ago."""
        async with self._reading:
            now, known = time.monotonic(), self._keys
            fresh = known is not None and now - known.read_at < KEYS_BELIEVED_SECONDS and known.found is not behind
            soon = now - self._asked_at < KEYS_AT_MOST_EVERY_SECONDS
            if known is not None and (fresh or soon):
                return known.found
            if soon:
                raise Unreachable("The identity provider did not answer a moment ago.", remedy="Try again later.")
            self._asked_at = now
            try:
                self._keys = _Keys(await self._read_keys(), now)
            except Unreachable:
                if known is None:
                    raise
                return known.found  # nobody is locked out while the provider is away
            return self._keys.found

    async def _read_keys(self) -> KeySet:
        issuer = self.settings.oidc_issuer or ""
        described = await self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if described.get("issuer") != issuer:
            raise Unreachable(
                "The identity provider calls itself by another name than HUB_OIDC_ISSUER.",
                remedy="Write the issuer exactly as its discovery document does.",
            )
        address = described.get("jwks_uri")
        if not isinstance(address, str) or urlsplit(address).scheme != urlsplit(issuer).scheme:
            raise Unreachable("The identity provider's discovery document names no usable `jwks_uri`.")
        try:
            return KeySet.import_key_set(await self._json(address))  # type: ignore[arg-type]  # it checks what it gets
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unreachable("The identity provider's keys cannot be read.") from error

    async def _json(self, address: str) -> dict[str, Any]:
        try:
            response = await self.http.get(address)
            response.raise_for_status()
            found = response.json() if len(response.content) <= LONGEST_ANSWER else None
        except (httpx.HTTPError, ValueError) as error:
            log.warning("oidc.unreachable", address=address, error=type(error).__name__)
            raise Unreachable("The identity provider does not answer.", remedy="Try again later.") from error
        if not isinstance(found, dict):
            raise Unreachable("The identity provider's answer is no JSON object.")
        return found

    def _viewer(self, claims: Mapping[str, Any]) -> Viewer:
        role = strongest(roles_of(self.settings), _at(claims, self.settings.oidc_role_claim))
        if role is None:
            raise TokenRefused(f"No value of the claim {self.settings.oidc_role_claim} gives a role here.")
        name = _at(claims, self.settings.oidc_name_claim)
        if self.settings.oidc_name_claim == "email" and claims.get("email_verified") is False:
            name = None  # anybody may have typed it
        owner = None
        if self.settings.own_accounts_only and role is Role.CSM:
            if not isinstance(name, str) or not name:
                raise TokenRefused(f"The claim {self.settings.oidc_name_claim} is needed: it says whose accounts.")
            owner = name
        who = name if isinstance(name, str) and name else claims["sub"]
        return Viewer(f"person:{str(who)[:200]}", role, owner=owner, ad_hoc=role is Role.ADMIN)


def roles_of(settings: Settings) -> dict[str, Role]:
    """What the values of the role claim stand for. Raises `SettingsInvalid` for a role that does not exist."""
    try:
        return {value: Role(role) for value, role in settings.oidc_roles.items()} or {role.value: role for role in Role}
    except ValueError as error:
        raise SettingsInvalid(f"HUB_OIDC_ROLES: {error}", remedy=f"The roles are {', '.join(Role)}.") from None


def open_provider(settings: Settings, clock: Clock) -> Provider | None:
    """The provider that the settings name; None when they name none. Raises `SettingsInvalid`."""
    roles_of(settings)
    return Provider(settings, clock) if settings.oidc_issuer else None


def strongest(roles: Mapping[str, Role], claimed: object) -> Role | None:
    """The strongest role that the values of a claim (a text, or a list of texts) stand for; None when none does."""
    values = claimed if isinstance(claimed, list) else [claimed]
    held = {roles[value] for value in values if isinstance(value, str) and value in roles}
    return next((role for role in STRONGEST_FIRST if role in held), None)


def looks_signed(bearer: str) -> bool:
    """Whether a bearer token is a JWT in compact form rather than an API key."""
    return bearer.count(".") == 2


def _at(claims: Mapping[str, Any], path: str) -> object:
    """A claim by its name, or by a path with dots where no claim has the whole as its name (`realm_access.roles`)."""
    if path in claims:
        return claims[path]
    return _inside(claims, path.split("."))


def _inside(found: object, path: Sequence[str]) -> object:
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found
