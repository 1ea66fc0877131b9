"""Fields: what each object of the org has, as far as a hub reads or writes it, and which objects are related."""

from collections.abc import Mapping
from typing import Final

_SYSTEM: Final = ("Id", "IsDeleted", "CreatedDate", "SystemModstamp")
_EDITED: Final = (*_SYSTEM, "LastModifiedDate", "OwnerId")

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Account": (
        *_EDITED, "Name", "Website", "Type", "Industry", "NumberOfEmployees", "ParentId", "MasterRecordId",
        "Hub_Account_Id__c", "Health_Band__c", "Health_Score__c",
    ),
    "Contact": (*_EDITED, "AccountId", "Name", "FirstName", "LastName", "Email", "Title", "MasterRecordId"),
    "User": (*_SYSTEM, "LastModifiedDate", "Name", "Email", "IsActive"),
    "Opportunity": (
        *_EDITED, "AccountId", "Name", "StageName", "LastStageChangeDate", "Type", "Amount",
        "CurrencyIsoCode", "Probability", "ForecastCategory", "CloseDate", "IsClosed", "IsWon",
    ),
    "OpportunityHistory": (
        *_SYSTEM, "OpportunityId", "StageName", "Amount", "CurrencyIsoCode", "Probability", "ForecastCategory",
        "CloseDate",
    ),
    "OpportunityContactRole": (*_SYSTEM, "LastModifiedDate", "OpportunityId", "ContactId", "Role", "IsPrimary"),
    "Case": (
        *_EDITED, "AccountId", "ContactId", "CaseNumber", "Subject", "Status", "Priority", "Origin", "IsClosed",
        "IsEscalated", "ClosedDate",
    ),
    "Task": (
        *_EDITED, "AccountId", "WhatId", "WhoId", "Subject", "Description", "Status", "Priority", "TaskSubtype",
        "ActivityDate", "IsClosed", "CompletedDateTime", "Hub_Key__c",
    ),
    "Event": (
        *_EDITED, "AccountId", "WhatId", "WhoId", "Subject", "StartDateTime", "EndDateTime", "IsChild", "IsRecurrence",
    ),
    "Contract": (
        *_EDITED, "AccountId", "ContractNumber", "Status", "StatusCode", "StartDate", "EndDate", "ContractTerm",
        "ActivatedDate",
    ),
    "Organization": ("Id", "Name", "SystemModstamp"),
}  # fmt: skip

RELATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "Account": ("AccountId", "Account"),
    "Opportunity": ("OpportunityId", "Opportunity"),
    "Owner": ("OwnerId", "User"),
}
"""The field that holds a related record's id, and its object, by the name of the relation."""

EXTERNAL_IDS: Final[Mapping[str, frozenset[str]]] = {"Account": frozenset({"Hub_Account_Id__c"})}
"""Fields by which a record can be upserted; each value stands in one record only."""

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {"Account": ("Name",), "Contact": ("LastName",)}
"""What a new record must have."""
