"""Spreadsheets keep the contract."""

from hub_csv import Csv

from hub import sdk

TestCsv = sdk.testing.conformance(
    Csv,
    exempt={
        "strangers.unknown": "no vendor writes these rows: `hub import` does, from the columns that a person mapped, "
        "and what it does not know has to be said and not passed over",
    },
)
