"""The connector of spreadsheets: four streams that `hub import` feeds. There is nobody to ask, and nothing to poll."""

from __future__ import annotations

from collections.abc import Iterable

from hub import sdk
from hub_csv import mapping
from hub_csv.models import EVENT_KINDS, AccountRow, Config, ContractRow, EventRow, PersonRow, event_key, person_key


class Csv(sdk.Connector[Config]):
    """Rows of files."""

    id = "csv"
    name = "Spreadsheets"
    tier = "gold"
    Config = Config

    accounts = sdk.pushed(
        record=AccountRow, key=lambda row: row.key, version=AccountRow.digest, emits={"account.identified"}
    )
    people = sdk.pushed(record=PersonRow, key=person_key, version=PersonRow.digest, emits={"person.identified"})
    contracts = sdk.pushed(
        record=ContractRow,
        key=lambda row: row.key,
        version=ContractRow.digest,
        emits={"subscription.started", "subscription.changed", "subscription.canceled"},
    )
    events = sdk.pushed(record=EventRow, key=event_key, version=EventRow.digest, emits=EVENT_KINDS)

    @accounts.normalize
    def _(self, row: AccountRow) -> Iterable[sdk.Event]:
        return mapping.of_account(row, self.config.source)

    @people.normalize
    def _(self, row: PersonRow) -> Iterable[sdk.Event]:
        return mapping.of_person(row, self.config.source)

    @contracts.normalize
    def _(self, row: ContractRow) -> Iterable[sdk.Event]:
        return mapping.of_contract(row, self.config.source)

    @events.normalize
    def _(self, row: EventRow) -> Iterable[sdk.Event]:
        return mapping.of_event(row, self.config.source)

    async def check(self) -> str:
        return self.config.source
