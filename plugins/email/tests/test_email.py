"""E-mail over a real socket: what arrives, who may send, and how far a message came when something breaks."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hub_email import Email
from pydantic import ValidationError

from hub import sdk
from hub.kit.clock import FrozenClock
from hub.sdk.errors import Ambiguous, AuthExpired, ConnectorError, Misconfigured, Rejected, Unavailable

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
PASSWORD = "correct horse"


@dataclass
class Mailroom:
    """What a real SMTP server took over, and how it is to answer."""

    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    at_recipient: str = "250 OK"
    at_data: str | None = "250 OK"

    async def handle_RCPT(  # noqa: N802  # the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        if self.at_data is None:
            server.transport.abort()  # the line goes dead after the last byte, before any answer
            return "250 OK"
        if self.at_data.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.envelopes.append(envelope)
            parsed = message_from_bytes(content, policy=modern)
            assert isinstance(parsed, EmailMessage)
            self.taken.append(parsed)
        return self.at_data


def _signs_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = data.login == b"hub" and data.password == PASSWORD.encode()
    return AuthResult(success=known, handled=False)


@pytest.fixture
def mailroom() -> Mailroom:
    return Mailroom()


@pytest.fixture
def serve(mailroom: Mailroom) -> Iterator[Callable[..., int]]:
    """Starts the server on a free port, and gives the port."""
    running: list[Controller] = []

    def start(**options: Any) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        controller = Controller(mailroom, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        return port

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for 127.0.0.1 that this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


class NoMailbox:
    """The connector leaves nothing in the hub's own mailbox."""


def connector(port: int, **config: Any) -> Email:
    given = {"host": "localhost", "port": port, "security": "none", "sender": "hub@example.net", **config}
    host = sdk.Host(http=httpx.AsyncClient(), mailbox=NoMailbox(), clock=FrozenClock(NOW))  # type: ignore[arg-type]
    return Email(Email.Config.model_validate(given), host)


async def send(connection: Email, key: str = "k1", **given: Any) -> Any:
    action = connection.actions["send"]
    message = {"email": "ada@example.com", "subject": "Good morning", "text": "All is well.", **given}
    return await action.run(connection, action.input.model_validate(message), key)


async def test_a_message_arrives_as_it_was_written(mailroom: Mailroom, serve: Callable[..., int]) -> None:
    """Both bodies, signs of every script, and a line that begins with a dot; one id for each key."""
    email = connector(serve(), sender_name="Customer success", reply_to="team@example.net")
    text = "Grüße 😀\n.\n..two dots\n" + "x" * 2000
    sent = await send(email, subject="Grüße an Żółć", text=text, html="<p>Grüße</p>")
    await send(email)
    await send(email, key="k2")
    first, again, other = mailroom.taken
    assert first["Subject"] == "Grüße an Żółć"
    assert (first["From"], first["To"]) == ("Customer success <hub@example.net>", "ada@example.com")
    assert (first["Reply-To"], first["Auto-Submitted"]) == ("team@example.net", "auto-generated")
    plain, html = first.get_body(("plain",)), first.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert html.get_content().strip() == "<p>Grüße</p>"
    assert first["Date"].datetime == NOW
    assert sent.message_id == first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert mailroom.envelopes[0].mail_from == "hub@example.net"
    assert mailroom.envelopes[0].rcpt_tos == ["ada@example.com"]


async def test_it_signs_in_over_tls_alone(mailroom: Mailroom, serve: Callable[..., int], tls: ssl.SSLContext) -> None:
    """By STARTTLS, with a checked certificate; a wrong password asks to reconnect."""
    port = serve(tls_context=tls, authenticator=_signs_in, auth_required=True, auth_require_tls=True)
    email = connector(port, security="starttls", user="hub", password=PASSWORD)
    assert await email.check() == f"hub@localhost:{port}"
    await send(email)
    assert len(mailroom.taken) == 1
    with pytest.raises(AuthExpired):
        await connector(port, security="starttls", user="hub", password="wrong").check()


async def test_no_certificate_that_somebody_vouches_for_is_no_way(
    serve: Callable[..., int], tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's certificate, and a server that knows no STARTTLS: nothing is sent, and the fix is named."""
    port = serve(tls_context=tls)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Misconfigured):
        await connector(port, security="starttls").check()
    with pytest.raises(Misconfigured):
        await connector(serve(), security="starttls").check()


@pytest.mark.parametrize(
    ("at_recipient", "at_data", "expected"),
    [
        ("550 No such user", "250 OK", Rejected),
        ("451 Greylisted", "250 OK", Unavailable),
        ("250 OK", "554 Spam", Rejected),
        ("250 OK", "452 Too much", Unavailable),
        ("250 OK", None, Ambiguous),
    ],
)
async def test_how_far_a_message_came(
    mailroom: Mailroom,
    serve: Callable[..., int],
    at_recipient: str,
    at_data: str | None,
    expected: type[ConnectorError],
) -> None:
    """Refused for good, refused for now, or nobody knows: only the last one is not tried again."""
    mailroom.at_recipient, mailroom.at_data = at_recipient, at_data
    with pytest.raises(expected):
        await send(connector(serve()))
    assert mailroom.taken == []


async def test_nobody_there_is_tried_again() -> None:
    """A server that is down is an outage, not a fault of the message."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable):
        await send(connector(port))


@pytest.mark.parametrize(
    "given",
    [
        {"subject": "Hello\r\nBcc: eve@example.com"},
        {"email": "ada@example.com\r\nRCPT TO:<eve@example.com>"},
        {"email": "ada@example.com, eve@example.com"},
        {"email": "Ada"},
        {"text": ""},
    ],
)
async def test_one_message_is_to_one_person(given: dict[str, Any]) -> None:
    """Nothing in an address or a subject can add a header or a recipient."""
    with pytest.raises(ValidationError):
        await send(connector(1), **given)


@pytest.mark.parametrize(
    "given",
    [
        {"user": "hub"},
        {"user": "hub", "password": "x", "security": "none"},
        {"sender": "nobody"},
        {"sender_name": "a\nb"},
    ],
)
def test_a_configuration_that_cannot_be_safe_is_refused(given: dict[str, Any]) -> None:
    """No password in the clear, no half of a sign-in, no sender without an address."""
    with pytest.raises(ValidationError):
        connector(1, **given)
