"""A double of an SMTP server: it asks for encryption and a password, and takes messages over."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hub_email.models import Config
from pydantic import BaseModel
from starlette.applications import Starlette

from hub import sdk


class Double(sdk.testing.Vendor):
    """Takes one message after another; each is an effect."""

    def app(self) -> Starlette:
        return Starlette()

    @asynccontextmanager
    async def beside(self, config: BaseModel) -> AsyncIterator[BaseModel]:
        """Serves SMTP on a free port, with a certificate that this process trusts for so long."""
        assert isinstance(config, Config)
        password = config.password
        assert password is not None

        def signs_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
            given = (getattr(data, "login", b""), getattr(data, "password", b""))
            right = (str(config.user).encode(), password.get_secret_value().encode())
            return AuthResult(success=given == right, handled=False)

        with TemporaryDirectory() as folder:
            pem = _certified(Path(folder) / "server.pem")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            trusted = os.environ.get("SSL_CERT_FILE")
            os.environ["SSL_CERT_FILE"] = str(pem)
            server = await asyncio.get_running_loop().create_server(
                lambda: SMTP(
                    self, hostname="localhost", tls_context=context, authenticator=signs_in, auth_required=True
                ),
                "127.0.0.1",
                0,
            )
            try:
                yield config.model_copy(update={"host": "localhost", "port": server.sockets[0].getsockname()[1]})
            finally:
                server.close()
                if trusted is None:
                    del os.environ["SSL_CERT_FILE"]
                else:
                    os.environ["SSL_CERT_FILE"] = trusted

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name
        self.effects.append(envelope.rcpt_tos)
        return "250 OK"


def _certified(pem: Path) -> Path:
    """A key and a certificate for `localhost`, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return pem
