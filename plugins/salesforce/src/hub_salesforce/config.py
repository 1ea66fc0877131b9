"""What a person enters to connect a Salesforce org."""

from __future__ import annotations

from typing import Self

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, model_validator

ID = r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"
"""A record's id: 15 characters that tell upper case from lower, and three that make up for who cannot.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm#i1435616
"""


class SalesforceConfig(BaseModel):
    """The org, one of two ways to sign in, and how much of the org's requests the hub may use."""

    model_config = ConfigDict(extra="forbid")

    base_url: AnyHttpUrl = Field(description="The org's My Domain: https://acme.my.salesforce.com")
    client_id: str = Field(min_length=8, description="Consumer key of the connected app.")
    username: str | None = Field(None, description="Of the integration user; with private_key: the JWT bearer flow.")
    private_key: SecretStr | None = Field(None, description="PEM of the key whose certificate the connected app has.")
    client_secret: SecretStr | None = Field(None, description="Consumer secret: the client-credentials flow instead.")
    audience: str = Field(
        "https://login.salesforce.com", description="Of the JWT; https://test.salesforce.com for a Salesforce sandbox."
    )
    api_version: str = Field("62.0", pattern=r"^\d{2,3}\.0$", description="Version of the REST API.")
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="The org's currency, where a record names none.")
    multi_currency: bool = Field(False, description="Whether the org has several currencies (CurrencyIsoCode).")
    account_group_field: str | None = Field(
        None, pattern=r"^[A-Za-z]\w*$", description="Field of Account that holds the product's account id."
    )
    task_key_field: str | None = Field(
        None, pattern=r"^[A-Za-z]\w*__c$", description="Text field of Activity that keeps the hub's key of a task."
    )
    closed_task_status: str = Field("Completed", max_length=40, description="The status of a task that is done.")
    api_share: float = Field(0.8, gt=0, le=1, description="Share of the org's daily requests at which reading stops.")
    backfill_share: float = Field(0.5, gt=0, le=1, description="The same for a backfill: live reading comes first.")
    organization_id: str | None = Field(None, pattern=ID, description="The org's id, which outbound messages name.")
    message_secret: SecretStr | None = Field(
        None, min_length=22, description="Last part of the outbound messages' address: 22 or more random characters."
    )
    previous_message_secret: SecretStr | None = Field(None, description="Still accepted while it is being changed.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        by_key = self.private_key is not None and self.username is not None
        if by_key == (self.client_secret is not None):
            raise ValueError("sign in one way: username and private_key (JWT bearer), or client_secret")
        if self.message_secret is not None and self.organization_id is None:
            raise ValueError("outbound messages need organization_id as well: Setup, Company Information")
        return self
