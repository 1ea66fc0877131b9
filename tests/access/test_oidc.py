"""People who sign in elsewhere: which tokens are accepted, whose they are, and what a forger gets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.access import oidc
from hub.access.oidc import Provider, TokenRefused, open_provider, strongest
from hub.access.service import Role, Viewer
from hub.kit.clock import FrozenClock
from hub.kit.errors import SettingsInvalid, Unreachable
from hub.kit.settings import Settings, load_settings
from tests.access.provider import (
    AUDIENCE,
    ProviderDouble,
    new_key,
    part,
    provider,
    signed_with_the_public_key,
    unsigned,
)
from tests.graphql.conftest import opened
from tests.graphql.world import NOW, populate

OTHER = new_key("first", "forger")
"""A forger's key, by the name of the provider's."""


@pytest.fixture
async def double() -> AsyncIterator[ProviderDouble]:
    async with provider() as found:
        yield found


def verifying(double: ProviderDouble, **others: Any) -> Provider:
    given = {"oidc_issuer": double.issuer, "oidc_audience": AUDIENCE, "oidc_roles": {"cs-team": "csm", "it": "admin"}}
    settings = Settings(data_dir=Path("unused"), _env_file=None, **(given | others))
    found = open_provider(settings, FrozenClock(NOW))
    assert found is not None
    return found


async def test_a_token_says_who_it_is(double: ProviderDouble) -> None:
    """The name goes into the audit log, the role follows from the claims, and the keys are asked for once."""
    verifier = verifying(double)
    for _ in range(3):
        viewer, left = await verifier.viewer(double.token(double.claims(NOW)))
    assert viewer == Viewer("person:ada@hub.example", Role.CSM)
    assert left == 300 + oidc.LEEWAY_SECONDS
    assert double.asked == ["discovery", "keys"]
    await verifier.close()


Forgery = Callable[[ProviderDouble], str]

FORGERIES: dict[str, Forgery] = {
    "another key by the same name": lambda it: it.token(it.claims(NOW), OTHER),
    "another key by another name": lambda it: it.token(it.claims(NOW), new_key("unknown")),
    "none": lambda it: unsigned(it.claims(NOW)),
    "None": lambda it: unsigned(it.claims(NOW), "None"),
    "the public key as a secret": lambda it: signed_with_the_public_key(it.claims(NOW), it.keys[0]),
    "claims changed after signing": lambda it: changed(it.token(it.claims(NOW)), it.claims(NOW, roles=["it"])),
    "expired": lambda it: it.token(it.claims(NOW, exp=int(NOW.timestamp()) - oidc.LEEWAY_SECONDS - 1)),
    "never expires": lambda it: it.token(without(it.claims(NOW), "exp")),
    "not yet": lambda it: it.token(it.claims(NOW, nbf=int(NOW.timestamp()) + oidc.LEEWAY_SECONDS + 1)),
    "made in the future": lambda it: it.token(it.claims(NOW + timedelta(hours=1))),
    "another audience": lambda it: it.token(it.claims(NOW, aud="another-service")),
    "no audience": lambda it: it.token(without(it.claims(NOW), "aud")),
    "another issuer": lambda it: it.token(it.claims(NOW, iss="https://evil.example")),
    "no issuer": lambda it: it.token(without(it.claims(NOW), "iss")),
    "nobody": lambda it: it.token(without(it.claims(NOW), "sub")),
    "expiry is a text": lambda it: it.token(it.claims(NOW, exp="tomorrow")),
    "no role here": lambda it: it.token(it.claims(NOW, roles=["staff"])),
    "no claim of roles": lambda it: it.token(without(it.claims(NOW), "roles")),
    "no token": lambda it: "a.b.c",
    "empty": lambda it: "..",
    "claims are no object": lambda it: f"{part({'alg': 'RS256', 'kid': 'first'})}.W10.c2ln",
    "endless": lambda it: "a" * 20_000 + ".b.c",
    "critical extension": lambda it: f"{part({'alg': 'RS256', 'kid': 'first', 'crit': ['x'], 'x': 1})}.e30.c2ln",
}


def without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


def changed(token: str, claims: dict[str, Any]) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{part(claims)}.{signature}"


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_token_that_proves_nothing_is_refused(double: ProviderDouble, name: str) -> None:
    """Forged, unsigned, late, early, for somebody else, or by nobody: refused, with a reason and without a crash."""
    verifier = verifying(double)
    with pytest.raises(TokenRefused) as refused:
        await verifier.viewer(FORGERIES[name](double))
    assert str(refused.value)
    await verifier.close()


@pytest.mark.parametrize("seconds", [-oidc.LEEWAY_SECONDS + 1, 0, 300 + oidc.LEEWAY_SECONDS - 1])
async def test_clocks_may_differ_by_a_minute(double: ProviderDouble, seconds: int) -> None:
    """A token made a minute ahead of us, and one that ran out less than a minute ago, are accepted."""
    verifier = verifying(double)
    made = NOW - timedelta(seconds=seconds)
    viewer, left = await verifier.viewer(double.token(double.claims(made, nbf=int(made.timestamp()))))
    assert viewer.role is Role.CSM
    assert left == 300 + oidc.LEEWAY_SECONDS - seconds
    await verifier.close()


async def test_keys_rotate(double: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is new is found; made-up names make us ask once in ten seconds; a key taken back is refused."""
    verifier = verifying(double)
    await verifier.viewer(double.token(double.claims(NOW)))
    old = double.keys[0]
    double.keys.append(new_key("second"))
    with pytest.raises(TokenRefused):  # asked a moment ago
        await verifier.viewer(double.token(double.claims(NOW)))
    assert double.asked.count("keys") == 1
    monkeypatch.setattr(oidc, "KEYS_AT_MOST_EVERY_SECONDS", 0.0)
    assert (await verifier.viewer(double.token(double.claims(NOW))))[0].role is Role.CSM
    assert double.asked.count("keys") == 2
    assert (await verifier.viewer(double.token(double.claims(NOW), old)))[0].role is Role.CSM
    double.keys.remove(old)
    monkeypatch.setattr(oidc, "KEYS_BELIEVED_SECONDS", 0.0)
    with pytest.raises(TokenRefused):
        await verifier.viewer(double.token(double.claims(NOW), old))
    await verifier.close()


async def test_a_provider_that_is_away_or_another_one(double: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let in, and whoever asks is told to try again; keys that are known go on."""
    verifier = verifying(double)
    await verifier.viewer(double.token(double.claims(NOW)))
    double.answers = False
    with monkeypatch.context() as later:
        later.setattr(oidc, "KEYS_BELIEVED_SECONDS", 0.0)
        later.setattr(oidc, "KEYS_AT_MOST_EVERY_SECONDS", 0.0)
        assert (await verifier.viewer(double.token(double.claims(NOW))))[0].role is Role.CSM
    await verifier.close()
    verifier = verifying(double)
    with pytest.raises(Unreachable):
        await verifier.viewer(double.token(double.claims(NOW)))
    await verifier.close()
    double.answers, double.calls_itself = True, "https://evil.example"
    verifier = verifying(double)
    with pytest.raises(Unreachable, match="another name"):
        await verifier.viewer(double.token(double.claims(NOW)))
    await verifier.close()


async def test_whose_accounts(double: ProviderDouble) -> None:
    """Where it is so configured a csm sees their own accounts; an address that nobody has verified is no name."""
    verifier = verifying(double, own_accounts_only=True)
    assert (await verifier.viewer(double.token(double.claims(NOW))))[0].owner == "ada@hub.example"
    admin, _ = await verifier.viewer(double.token(double.claims(NOW, roles="it")))
    assert (admin.role, admin.owner, admin.ad_hoc) == (Role.ADMIN, None, True)
    with pytest.raises(TokenRefused, match="whose accounts"):
        await verifier.viewer(double.token(double.claims(NOW, email_verified=False)))
    await verifier.close()


async def test_roles_may_lie_deeper(double: ProviderDouble) -> None:
    """Keycloak keeps them in `realm_access.roles`; a claim whose name is an address is found as it is."""
    nested = verifying(double, oidc_role_claim="realm_access.roles")
    assert (await nested.viewer(double.token(double.claims(NOW, realm_access={"roles": ["it"]}))))[0].role is Role.ADMIN
    named = verifying(double, oidc_role_claim="https://hub.example/roles")
    claims = double.claims(NOW, **{"https://hub.example/roles": "cs-team"})
    assert (await named.viewer(double.token(claims)))[0].role is Role.CSM
    for verifier in (nested, named):
        await verifier.close()


def test_the_strongest_role_counts() -> None:
    """Of several values the strongest, of other things none."""
    roles = {"a": Role.VIEWER, "b": Role.CSM}
    assert strongest(roles, ["a", "b", "c"]) is Role.CSM
    assert strongest(roles, "a") is Role.VIEWER
    assert strongest(roles, ["c", 1, None]) is None
    assert strongest(roles, {"a": 1}) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oidc_issuer": "https://login.example"}, "HUB_OIDC_AUDIENCE"),
        ({"oidc_issuer": "http://login.example", "oidc_audience": "hub"}, "https"),
        ({"oidc_issuer": "https://login.example", "oidc_audience": "hub", "oidc_roles": {"x": "king"}}, "king"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(given: dict[str, Any], said: str) -> None:
    """No audience, no private way, no such role."""
    with pytest.raises(SettingsInvalid, match=said):
        open_provider(load_settings(_env_file=None, **given), FrozenClock(NOW))


async def test_the_api_takes_tokens_beside_keys(settings: Settings, double: ProviderDouble) -> None:
    """Over HTTP: a person signed in sees their own accounts; a forger is told 401, and that in the API's own words."""
    configured = settings.model_copy(
        update={
            "oidc_issuer": double.issuer,
            "oidc_audience": AUDIENCE,
            "oidc_roles": {"cs-team": "csm"},
            "own_accounts_only": True,
        }
    )
    async with opened(configured) as client:
        await populate(client.kit, 4)
        now = client.kit.clock.now()
        query = {"query": "{ viewer { actor role owner } accounts { totalCount } }"}

        async def ask(bearer: str) -> Any:
            return await client.http.post("/graphql", json=query, headers={"authorization": f"Bearer {bearer}"})

        found = (await ask(double.token(double.claims(now)))).json()["data"]
        assert found == {
            "viewer": {"actor": "person:ada@hub.example", "role": "CSM", "owner": "ada@hub.example"},
            "accounts": {"totalCount": 2},
        }
        assert (await ask(client.keys[Role.CSM])).json()["data"]["accounts"] == {"totalCount": 4}
        for forged in (unsigned(double.claims(now)), double.token(double.claims(now), OTHER)):
            response = await ask(forged)
            assert response.status_code == 401
            assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
