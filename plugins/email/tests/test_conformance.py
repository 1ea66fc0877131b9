"""E-mail keeps the contract."""

from hub_email import Email

from hub import sdk

TestEmail = sdk.testing.conformance(
    Email,
    exempt={
        "action.dry_run": "a message leaves by SMTP and not through the host's client, "
        "which is what holds a dry run back",
    },
)
