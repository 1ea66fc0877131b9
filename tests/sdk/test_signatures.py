"""Signature schemes: over the raw bytes, against every active secret, within their time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from hub import sdk
from hub.sdk.errors import BadSignature, Misconfigured

# The example of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {"webhook-id": ID, "webhook-timestamp": "1614265330", "webhook-signature": SIGNATURE}


def delivery(body: bytes = BODY, at: datetime = AT, **headers: str) -> sdk.Delivery:
    given = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    return sdk.Delivery("hook", given, body, at)


@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=300), timedelta(seconds=-300)])
def test_the_specifications_example_is_genuine(late: timedelta) -> None:
    """The published example verifies, up to five minutes early or late."""
    sdk.StandardWebhooks().verify(delivery(at=AT + late), [SECRET])


def test_any_active_secret_and_any_signature_may_fit() -> None:
    """During a rotation two secrets are active, and a vendor may send two signatures."""
    other = base64.b64encode(b"another secret").decode()
    sdk.StandardWebhooks().verify(delivery(), [other, SECRET])
    sdk.StandardWebhooks().verify(delivery(webhook_signature=f"v1,AAAA v2,x {SIGNATURE}"), [SECRET])


@pytest.mark.parametrize(
    "forged",
    [
        delivery(BODY.replace(b"2", b"3")),
        delivery(at=AT + timedelta(seconds=301)),
        delivery(at=AT - timedelta(seconds=301)),
        delivery(webhook_id="msg_other"),
        delivery(webhook_timestamp="1614265331"),
        delivery(webhook_timestamp="yesterday"),
        delivery(webhook_timestamp="9" * 30),
        delivery(webhook_signature=SIGNATURE.replace("v1", "v2")),
        delivery(webhook_signature="v1,ä"),
        delivery(webhook_signature=""),
        sdk.Delivery("hook", {}, BODY, AT),
    ],
)
def test_whatever_differs_is_refused(forged: sdk.Delivery) -> None:
    """One byte, another id or time, too old, from the future, another scheme, or nothing at all."""
    with pytest.raises(BadSignature):
        sdk.StandardWebhooks().verify(forged, [SECRET])


def test_without_an_active_secret_nothing_is_genuine() -> None:
    """No secret is not any secret."""
    with pytest.raises(BadSignature):
        sdk.StandardWebhooks().verify(delivery(), [])
    with pytest.raises(BadSignature):
        sdk.HexHmac("X-Signature").verify(sdk.Delivery("hook", {"x-signature": ""}, b"", AT), [])


def test_a_secret_that_is_none_is_the_operators_to_mend() -> None:
    """A webhook secret that is not base64 is a misconfiguration and not a forged delivery."""
    with pytest.raises(Misconfigured, match="base64"):
        sdk.StandardWebhooks().verify(delivery(), ["whsec_not base64!"])


@pytest.mark.parametrize(("algorithm", "prefix"), [("sha256", "sha256="), ("sha1", "sha1="), ("sha256", "")])
def test_a_hex_hmac_covers_the_raw_body(algorithm: str, prefix: str) -> None:
    """Upper or lower case, with its prefix; a changed body, another prefix or secret are refused."""
    scheme = sdk.HexHmac("X-Hub-Signature", algorithm, prefix)
    signature = hmac.new(b"secret", BODY, getattr(hashlib, algorithm)).hexdigest()

    def verify(given: str, body: bytes = BODY, secret: str = "secret") -> None:
        scheme.verify(sdk.Delivery("hook", {"x-hub-signature": given}, body, AT), [secret])

    verify(prefix + signature)
    verify(prefix + signature.upper())
    for wrong in ({"given": prefix}, {"given": "md5=" + signature}, {"body": b"{}"}, {"secret": "other"}):
        with pytest.raises(BadSignature):
            verify(**{"given": prefix + signature, **wrong})  # type: ignore[arg-type]


def test_a_scheme_signs_as_the_specification_does() -> None:
    """The published example again, from its id, time and body; what is signed verifies."""
    unsigned = sdk.Delivery("hook", {"webhook-id": ID}, BODY, AT)
    assert dict(sdk.StandardWebhooks().sign(unsigned, SECRET).headers) == HEADERS
    for scheme in (sdk.StandardWebhooks(), sdk.HexHmac("X-Signature", "sha1", "sha1=")):
        assert isinstance(scheme, sdk.Signing)
        scheme.verify(scheme.sign(sdk.Delivery("hook", {}, BODY, AT), SECRET), [SECRET])


def test_what_is_sent_is_signed_as_the_specification_says() -> None:
    """The published example, and one signature for each active secret in their order."""
    assert sdk.StandardWebhooks().headers(ID, AT, BODY, [SECRET]) == HEADERS
    both = sdk.StandardWebhooks().headers(ID, AT, BODY, [base64.b64encode(b"another secret").decode(), SECRET])
    assert both["webhook-signature"].split()[1] == SIGNATURE
    assert len(both["webhook-signature"].split()) == 2
