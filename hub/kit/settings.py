"""Settings: environment variables `HUB_*`, or a `.env` file in the working directory. Everything has a safe default."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.kit.errors import SettingsInvalid


class Settings(BaseSettings):
    """What an operator may set. Read once, at the start of a process, by `load_settings`."""

    model_config = SettingsConfigDict(env_prefix="HUB_", env_file=".env", extra="ignore", frozen=True)

    database_url: str | None = Field(
        None, description="PostgreSQL 15 or newer, e.g. postgresql://hub@db/hub. Unset: the embedded server."
    )
    redis_url: str | None = Field(
        None,
        description="Redis 6.2 or newer (or Valkey), e.g. redis://broker:6379/0. Unset: the embedded server.",
    )
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("journey-hub", appauthor=False)),
        description="Where the embedded servers and the generated key live.",
    )
    secret_key: SecretStr | None = Field(
        None, description="Encrypts connection secrets. Unset: generated into the data directory (mode 0600)."
    )
    previous_secret_keys: list[SecretStr] = Field(
        default_factory=list,
        description="Keys that may still decrypt, newest first, while a key is being rotated.",
    )
    host: str = Field("127.0.0.1", description="Address the server binds to.")
    port: int = Field(8000, ge=0, le=65535, description="Port the server binds to; 0 picks a free one.")
    public_url: str | None = Field(None, description="How the outside reaches the hub, for webhook addresses.")
    blueprint: Path | None = Field(None, description="The blueprint file or folder. Unset: the shipped one.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    strict_plugins: bool = Field(False, description="A plugin that cannot be loaded stops the hub.")
    plugin_folders: list[Path] = Field(
        default_factory=list, description="Folders of plugins that are loaded without being installed, as a JSON list."
    )
    max_body_bytes: int = Field(2_000_000, ge=1_000, description="Largest request body, after decompression.")
    worker_concurrency: int = Field(20, ge=1, le=500, description="Jobs that one worker runs at once.")
    graphiql: bool = Field(True, description="Serve the GraphiQL explorer at /graphql.")
    introspection: bool = Field(True, description="Answer introspection queries.")
    cors_origins: list[str] = Field(default_factory=list, description="Origins that browsers may call from.")
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect provider whose tokens are accepted, e.g. https://login.example/realms/cs."
    )
    oidc_audience: str | None = Field(None, description="What the provider's tokens must be made for (`aud`).")
    oidc_role_claim: str = Field("roles", description="The claim that says the role; dots lead into nested claims.")
    oidc_roles: dict[str, str] = Field(
        default_factory=dict,
        description='The role of each value of that claim, as JSON, e.g. {"cs-team": "csm"}. Unset: the roles by name.',
    )
    oidc_name_claim: str = Field(
        "email", description="The claim that names the person: in the audit log, and as owner."
    )
    own_accounts_only: bool = Field(
        False, description="A csm who signs in sees only the accounts whose owner they are, by that name."
    )
    trusted_documents: Path | None = Field(
        None, description="Folder of .graphql files, or JSON file {id: text}, that clients may name by their digest."
    )
    ad_hoc_queries: Literal["all", "permitted", "none"] = Field(
        "all", description="Who may ask what is no trusted document: all, keys made with --ad-hoc, or none."
    )
    points_per_second: int | None = Field(
        None, ge=10, description="What a key may ask for, in points of cost each second; a minute's worth at once."
    )
    private_targets: bool = Field(
        False, description="Outgoing webhooks may go to private and loopback addresses, and without TLS."
    )
    delivery_retention_days: int = Field(7, ge=1, description="How long processed webhook bodies are kept.")

    @field_validator("database_url")
    @classmethod
    def _asyncpg_driver(cls, url: str | None) -> str | None:
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
            raise ValueError("only PostgreSQL is supported; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return f"postgresql+asyncpg://{rest}"

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///path/to/socket?db=DB")
        return url

    @field_validator("oidc_issuer")
    @classmethod
    def _private_way(cls, issuer: str | None) -> str | None:
        if issuer is not None and not issuer.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("write https://…; plain http is for a provider on this machine")
        return issuer

    @model_validator(mode="after")
    def _an_audience(self) -> Settings:
        if self.oidc_issuer is not None and not self.oidc_audience:
            raise ValueError("HUB_OIDC_ISSUER needs HUB_OIDC_AUDIENCE: else tokens made for others would be accepted")
        return self

    @property
    def embedded(self) -> bool:
        """Whether any of the two servers has to be started by the hub itself."""
        return self.database_url is None or self.redis_url is None


def load_settings(**overrides: object) -> Settings:
    """Read the settings.

    Raises `SettingsInvalid` with the name of the variable and what is wrong with it, never with its value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic validates what the caller overrides
    except ValidationError as error:
        wrong = "; ".join(
            f"HUB_{'_'.join(str(part) for part in problem['loc'][:1]).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SettingsInvalid(wrong, remedy="Correct the environment or the .env file.") from None
