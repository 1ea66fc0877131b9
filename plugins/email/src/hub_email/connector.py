"""The e-mail connector: hands a message to an SMTP server, and knows how far it came.

SMTP has no idempotency key: a server that falls silent after the message's last line may have taken it over or not
(RFC 5321 4.5.3.2.6, RFC 1047). Up to there nothing was sent and it may be tried again; from there on the answer is
`Ambiguous`, and a person decides. The Message-ID is made from the hub's key, so that a message sent again is at least
known as the same one by the reader.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from hub import sdk
from hub.sdk.errors import Ambiguous, AuthExpired, Misconfigured, Rejected, Unavailable
from hub_email.models import Config, MessageSent, SendMessage

SECONDS = 10.0
"""How long the server may take for one answer."""


class Email(sdk.Connector[Config]):
    """Sends e-mail by any SMTP server."""

    id = "email"
    name = "E-mail (SMTP)"
    tier = "gold"
    Config = Config

    @sdk.action(
        input=SendMessage,
        output=MessageSent,
        idempotency="none",
        emits="message.sent",
        touch=True,
        scopes=("messages",),
    )
    async def send(self, message: SendMessage, key: str) -> MessageSent:
        """Send a message to one person, as plain text and, where given, as HTML."""
        written, message_id = self._written(message, key)
        async with self._signed_in() as server:
            try:
                await server.mail(self.config.sender)
                await server.rcpt(message.email)
            except SMTPResponseException as error:
                raise _refusal(error, f"The server refuses {self.config.sender} → {message.email}") from error
            except (SMTPException, OSError) as error:
                raise Unavailable(f"The server broke off before the message: {error}") from error
            try:
                await server.data(written)
            except (SMTPServerDisconnected, SMTPTimeoutError, OSError) as error:
                raise Ambiguous(f"The server broke off within the message: {error}") from error
            except SMTPResponseException as error:
                raise _refusal(error, "The server refuses the message") from error
        return MessageSent(message_id=message_id)

    async def check(self) -> str:
        """Connects and signs in; the tenant is the server with whoever signs in there."""
        async with self._signed_in():
            pass
        return f"{self.config.user or self.config.sender}@{self.config.host}:{self.config.port}"

    @asynccontextmanager
    async def _signed_in(self) -> AsyncIterator[aiosmtplib.SMTP]:
        config = self.config
        server = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            use_tls=config.security == "tls",
            start_tls=config.security == "starttls",
            timeout=SECONDS,
        )
        try:
            await server.connect()
            if config.user is not None and config.password is not None:
                await server.login(config.user, config.password.get_secret_value())
        except SMTPAuthenticationError as error:
            server.close()
            if error.code < 500:
                raise Unavailable(f"The server cannot sign anybody in at the moment: {error.message}") from error
            raise AuthExpired("The server does not accept the user and password.") from error
        except (SMTPException, OSError) as error:
            server.close()
            raise _unreachable(error, config) from error
        try:
            yield server
        finally:
            with suppress(SMTPException, OSError):  # what was sent is sent, however we part
                await server.quit()
            server.close()

    def _written(self, message: SendMessage, key: str) -> tuple[bytes, str]:
        """The message as it goes over the wire, and its id."""
        config, mail = self.config, EmailMessage(policy=WIRE)
        message_id = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{config.sender.rpartition('@')[2]}>"
        mail["From"] = Address(config.sender_name or "", addr_spec=config.sender)
        mail["To"] = Address(addr_spec=message.email)
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(self.clock.now())
        mail["Message-ID"] = message_id
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
        if config.reply_to is not None:
            mail["Reply-To"] = Address(addr_spec=config.reply_to)
        mail.set_content(message.text, cte="quoted-printable")
        if message.html is not None:
            mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
        return mail.as_bytes(), message_id


def _refusal(error: SMTPResponseException, what: str) -> Rejected | Unavailable:
    """5xx: asking again would be refused again. 4xx: it may be different later (greylisting, a full mailbox)."""
    kind = Rejected if error.code >= 500 else Unavailable
    return kind(f"{what}: {error.code} {error.message}")


def _unreachable(error: Exception, config: Config) -> Misconfigured | Unavailable:
    """A server without the encryption asked for, or with a certificate that nobody vouches for, is no outage."""
    text = str(error) or type(error).__name__
    if "starttls" in text.lower() or "certificate" in text.lower():
        return Misconfigured(f"There is no safe way to {config.host}:{config.port} by {config.security}: {text}")
    return Unavailable(f"{config.host}:{config.port} does not answer: {text}")
