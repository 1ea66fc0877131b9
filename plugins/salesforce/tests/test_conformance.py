"""Salesforce keeps the contract."""

from hub_salesforce import Salesforce

from hub import sdk

TestSalesforce = sdk.testing.conformance(
    Salesforce,
    exempt={
        "webhook.changed": "Salesforce signs nothing: the address is the secret, and a message is only taken as the "
        "word that a record changed, which is then read",
        "webhook.stale": "as above: there is no signed time; the notification's own id is the guard against a replay",
        "webhook.future": "as above: there is no signed time",
    },
)
