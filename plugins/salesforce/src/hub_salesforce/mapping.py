"""What Salesforce's records mean on the account timeline.

A record is read as it is now, again and again. What happens once (created, won, solved, held) has a natural key, so it
is one fact however often its record comes, as it was when first seen; what a record was like after each change is an
event of its own version and carries the state. Facts are told at Salesforce's times, also where these contradict each
other: imported cases may be closed before they were created, and the state still comes from the newest change.
"""

from hub_salesforce.sales import (
    EMITS_OF_CONTRACT,
    EMITS_OF_OPPORTUNITY,
    of_contract,
    of_opportunity,
    of_opportunity_entry,
)
from hub_salesforce.who import EMITS_OF_ACCOUNT, EMITS_OF_CONTACT, of_account, of_contact, of_contact_role
from hub_salesforce.work import (
    EMITS_OF_CASE,
    EMITS_OF_MEETING,
    EMITS_OF_TASK,
    of_case,
    of_ended_meeting,
    of_meeting,
    of_task,
)

__all__ = [
    "EMITS_OF_ACCOUNT",
    "EMITS_OF_CASE",
    "EMITS_OF_CONTACT",
    "EMITS_OF_CONTRACT",
    "EMITS_OF_MEETING",
    "EMITS_OF_OPPORTUNITY",
    "EMITS_OF_TASK",
    "of_account",
    "of_case",
    "of_contact",
    "of_contact_role",
    "of_contract",
    "of_ended_meeting",
    "of_meeting",
    "of_opportunity",
    "of_opportunity_entry",
    "of_task",
]
