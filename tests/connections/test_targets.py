"""Where outgoing webhooks may go: nowhere inside, however the address is written."""

from __future__ import annotations

import httpx
import pytest

from hub.sdk.errors import Misconfigured, Unavailable
from hub.sdk.targets import is_public, to_public_address


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::1", False),
    ],
)
def test_only_what_everybody_reaches_is_public(address: str, public: bool) -> None:
    """Private, loopback, link-local, shared, multicast and unspecified addresses are not, also inside of another."""
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]:8443/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "http://93.184.216.34/",
    ],
)
async def test_a_target_inside_or_without_tls_is_refused(url: str) -> None:
    """The message names the setting that allows it."""
    with pytest.raises(Misconfigured, match="HUB_PRIVATE_TARGETS"):
        await to_public_address(httpx.Request("POST", url))


async def test_the_judged_address_is_the_one_that_is_talked_to() -> None:
    """No second resolution: the request goes to the address, TLS and the host header still name the host."""
    request = httpx.Request("POST", "https://93.184.216.34:8443/hook?a=1", content=b"body")
    pinned = await to_public_address(request)
    assert str(pinned.url) == "https://93.184.216.34:8443/hook?a=1"
    assert pinned.headers["host"] == "93.184.216.34:8443"
    assert pinned.extensions["sni_hostname"] == "93.184.216.34"
    assert pinned.stream is request.stream


async def test_a_name_that_cannot_be_resolved_may_be_later() -> None:
    """It is no mistake of the configuration yet."""
    with pytest.raises(Unavailable):
        await to_public_address(httpx.Request("POST", "https://nobody.invalid/"))
