"""A file becomes accounts and history: told twice, corrected, and with rows that cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from hub.kit.runtime import Kit
from hub.timeline.service import fingerprint

from ..conftest import Hub, command_on

EXAMPLES = Path(__file__).parents[3] / "examples" / "import"
FILE = "id,customer,when,what\n1,a,2026-05-01,Export\n2,a,2026-05-02,Share\n3,b,2026-05-03,Export\n"
MAP = {"stream": "events", "columns": {"key": "id", "account": "customer", "at": "when", "feature": "what"}}


@pytest.fixture
def hub(kit: Kit) -> Hub:
    """Commands on the same database as `kit`."""
    return command_on(kit.settings)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A file of three events, with its mapping beside it."""
    (tmp_path / "used.map.yaml").write_text(yaml.safe_dump(MAP))
    path = tmp_path / "used.csv"
    path.write_text(FILE)
    return path


def save(path: Path, content: str) -> None:
    path.write_text(content)


async def told(kit: Kit) -> list[tuple[str, int, bool]]:
    async with kit.reading() as session:
        rows = await session.execute(
            text(
                "SELECT attributes->>'feature', revision, retracted_at IS NULL FROM event "
                "WHERE connection_id IS NOT NULL ORDER BY occurred_at, revision"
            )
        )
        return [tuple(row) for row in rows]


async def test_the_examples_can_be_imported(hub: Hub, kit: Kit) -> None:
    """Customers, then their contracts: accounts with facts, and monthly revenue to the cent."""
    for name in ("customers", "contracts"):
        done = await hub("import", str(EXAMPLES / f"{name}.csv"), "--json")
        assert (done.code, done.json["bad"]) == (0, 0), done
    async with kit.reading() as session:
        accounts = await session.execute(text("SELECT name, domain, facts FROM account ORDER BY name"))
        found = {name: (domain, facts) for name, domain, facts in accounts}
        mrr = await session.execute(
            text("SELECT (attributes->>'mrr_minor')::int FROM event WHERE kind = 'subscription.changed' ORDER BY 1")
        )
        assert mrr.scalars().all() == [80_004, 400_000]
    assert set(found) == {"Northwind Trading", "Contoso Ltd", "Müller & Söhne", "Initech"}
    assert found["Contoso Ltd"][0] == "contoso.example"
    assert found["Initech"][1]["licences"] == 1250
    assert found["Initech"][1]["Region"] == "AMER"


async def test_the_same_file_twice_changes_nothing(hub: Hub, kit: Kit, sheet: Path) -> None:
    """No row, no event, no profile, whenever it was saved."""
    first = (await hub("import", str(sheet), "--json")).json
    assert (first["new"], first["known"]) == (3, 0)
    async with kit.reading() as session:
        before = await fingerprint(session)
    os.utime(sheet, (2e9, 2e9))
    again = (await hub("import", str(sheet), "--json")).json
    assert (again["new"], again["replaced"], again["known"]) == (0, 0, 3)
    async with kit.reading() as session:
        assert await fingerprint(session) == before


async def test_a_corrected_row_replaces_the_one_with_its_key(hub: Hub, kit: Kit, sheet: Path) -> None:
    """And back again: what was told between is known as retracted."""
    first = FILE
    await hub("import", str(sheet))
    save(sheet, first.replace("Share", "Invite"))
    assert (await hub("import", str(sheet), "--json")).json["replaced"] == 1
    save(sheet, first)
    assert (await hub("import", str(sheet), "--json")).json["replaced"] == 1
    assert await told(kit) == [
        ("Export", 0, True),
        ("Share", 0, False),
        ("Invite", 1, False),
        ("Share", 2, True),
        ("Export", 0, True),
    ]
    replayed = (await hub("replay", "csv", "--json")).json
    assert (replayed["read"], replayed["retracted"], replayed["added"]) == (3, 0, 0)


async def test_rows_that_cannot_be_read_are_told_kept_and_closed_when_mended(hub: Hub, kit: Kit, sheet: Path) -> None:
    """Line, column, reason, remedy; the other rows are in; the mended file closes the entries."""
    whole = FILE
    save(sheet, whole.replace("2026-05-02", "02/05/2026") + "4,a,2026-05-04\n3,b,2026-05-09,Again\n")
    refused = await hub("import", str(sheet), "--json")
    assert refused.code == 2
    assert [(one["line"], one["column"]) for one in refused.json["problems"]] == [(3, "when"), (5, None), (6, None)]
    assert refused.json["problems"][0]["remedy"].startswith("set dates")
    assert "line 4 has the same key" in refused.json["problems"][2]["reason"]
    assert len((await hub("quarantine", "list", "csv", "--json")).json) == 3
    assert (await hub("quarantine", "replay", "csv", "--json")).json["unreadable"] == 3
    save(sheet, whole)
    assert (await hub("import", str(sheet), "--json")).json["bad"] == 0
    left = (await hub("quarantine", "list", "csv", "--json")).json
    assert [entry["reason"] for entry in left] == [
        "unread: Value error, line: it has 3 cells, the header 4: is there a ',' in a cell without quotation marks? "
        "(4,a,2026-05-04); at: Field required"
    ]


async def test_a_guess_is_written_and_shown_and_nothing_is_imported(hub: Hub, kit: Kit, tmp_path: Path) -> None:
    """The written mapping then imports the file as it was shown."""
    path = tmp_path / "customers.csv"
    save(path, "Customer No;Company;Seats;Tier of service\n7;Acme;1.200;gold\n")
    shown = await hub("import", str(path), "--guess", "--json")
    [row] = shown.json["rows"]
    assert row["row"]["licences"] == "1200"
    assert row["row"]["attributes"] == {"Tier of service": "gold"}
    async with kit.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM connection"))).scalar_one() == 0
    assert "exists" in (await hub("import", str(path), "--guess")).err
    assert (await hub("import", str(path), "--json")).json["new"] == 1


async def test_json_serves_as_a_mapping_too(hub: Hub, sheet: Path, tmp_path: Path) -> None:
    """JSON is YAML; and what does not fit is one line."""
    mapping = tmp_path / "map.json"
    save(mapping, json.dumps(MAP))
    assert (await hub("import", str(sheet), "--map", str(mapping), "--preview")).code == 0
    save(mapping, json.dumps({**MAP, "colums": {}}))
    refused = await hub("import", str(sheet), "--map", str(mapping))
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)
    assert "colums" in refused.err
