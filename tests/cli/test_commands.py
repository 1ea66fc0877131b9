"""Commands say what they did, in words and in JSON, and an error is one line with its remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.migrations.runner import head

from .conftest import Hub

ROOT = Path(__file__).parents[2]


async def test_a_new_database_asks_to_be_upgraded_and_then_works(new_hub: Hub) -> None:
    """Tables missing: one line and the command that makes them; afterwards everything is in place."""
    refused = await new_hub("token", "list")
    assert refused.code == 1
    assert refused.out == ""
    assert len(refused.err.splitlines()) == 1
    assert "Run: hub db upgrade" in refused.err
    assert (await new_hub("db", "upgrade", "--json")).json == {"before": None, "revision": head()}
    assert (await new_hub("db", "upgrade")).out == f"Nothing to do: revision {head()}.\n"
    assert (await new_hub("token", "list")).code == 0


async def test_keys_are_made_listed_and_revoked(hub: Hub) -> None:
    """The secret is shown once and alone on its line, so that a script can take it."""
    made = await hub("token", "create", "screens", "--role", "csm", "--expires", "90d")
    assert re.fullmatch(r"hub_[\w-]{43}\n", made.out)
    [listed] = (await hub("token", "list", "--json")).json
    assert (listed["name"], listed["role"]) == ("screens", "csm")
    assert made.out.strip() not in str(listed)
    twice = await hub("token", "create", "screens", "--json")
    assert twice.code == 1
    assert twice.json["remedy"].endswith("hub token revoke screens")
    assert (await hub("token", "revoke", "screens")).out == "screens is revoked.\n"
    assert (await hub("token", "revoke", "screens")).code == 1


async def test_a_connection_is_added_listed_checked_and_removed(hub: Hub) -> None:
    """Without secrets on the screen, and with the address for its webhooks."""
    secret = "0123456789abcdef0123456789abcdef"
    added = await hub("connect", "add", "inapp", "--name", "product", "--set", f"secret={secret}", "--json")
    assert added.json["webhooks"] == ["http://127.0.0.1:8000/in/product/events"], added
    again = await hub("connect", "add", "inapp", "--name", "other", "--set", f"secret={secret}")
    assert again.code == 1
    assert "already" in again.err
    [listed] = (await hub("connect", "list", "--json")).json
    assert (listed["name"], listed["connector"], listed["status"]) == ("product", "inapp", "active")
    assert (await hub("connect", "check", "product", "--json")).json["works"] is True
    assert (await hub("connect", "remove", "product", "--yes")).code == 0
    assert (await hub("connect", "list", "--json")).json == []
    for ended in (added, again):
        assert secret not in ended.out + ended.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("connect", "add", "nothing"), "hub plugin list"),
        (("connect", "add", "inapp", "--set", "secret=short"), "secret"),
        (("connect", "add", "inapp", "--set", "secret"), "name=value"),
        (("connect", "check", "nobody"), "hub connect list"),
        (("connect", "remove", "nobody", "--yes"), "hub connect list"),
        (("sync", "nobody"), "hub connect list"),
        (("replay", "nobody"), "hub connect list"),
        (("health", "explain", "nobody"), "nobody"),
        (("token", "create", "x", "--expires", "soon"), "90d"),
        (("token", "revoke", "nobody"), "hub token list"),
        (("serve", "--host", "0.0.0.0"), "hub token create"),
    ],
)
async def test_an_error_is_one_line_with_its_remedy(hub: Hub, arguments: tuple[str, ...], hint: str) -> None:
    """No traceback, nothing on standard output, exit code 1."""
    ended = await hub(*arguments)
    assert ended.code == 1, ended
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert hint in ended.err


async def test_the_doctor_says_what_to_do(new_hub: Hub) -> None:
    """A database without tables is broken; afterwards only what is optional is missing."""
    ill = await new_hub("doctor", "--json")
    assert ill.code == 1
    assert {"migrations"} == {finding["what"] for finding in ill.json if finding["state"] == "broken"}
    await new_hub("db", "upgrade")
    well = await new_hub("doctor", "--json")
    assert well.code == 0
    states = {finding["what"]: finding["state"] for finding in well.json}
    assert states["database"] == states["broker"] == states["plugins"] == states["blueprint"] == "ok"
    assert states["API keys"] == states["workers"] == "look"
    assert "hub token create" in (await new_hub("doctor")).out


async def test_servers_that_do_not_answer_are_named(hub: Hub, unused_tcp_port: int) -> None:
    """Which of the two, and what to look at."""
    nowhere = f"127.0.0.1:{unused_tcp_port}"
    without_broker = await hub("token", "list", HUB_REDIS_URL=f"redis://{nowhere}/0")
    assert (without_broker.code, len(without_broker.err.splitlines())) == (1, 1)
    assert "HUB_REDIS_URL" in without_broker.err
    without_database = await hub("token", "list", HUB_DATABASE_URL=f"postgresql://somebody:hunter2@{nowhere}/hub")
    assert (without_database.code, len(without_database.err.splitlines())) == (1, 1)
    assert "HUB_DATABASE_URL" in without_database.err
    assert "hunter2" not in without_database.err
    wrong = await hub("token", "list", HUB_DATABASE_URL="sqlite:///hub.db")
    assert "only PostgreSQL is supported" in wrong.err


async def test_the_plugins_in_the_box_are_ready(hub: Hub) -> None:
    """What is installed is listed without a database."""
    rows = (await hub("plugin", "list", "--json")).json
    assert [(row["plugin"], row["state"]) for row in rows] == [
        ("csv", "ready"),
        ("inapp", "ready"),
        ("segment", "ready"),
        ("stripe", "ready"),
    ]


async def test_the_promised_schemas_are_up_to_date(hub: Hub, tmp_path: Path) -> None:
    """The files in `schema/` are what the code says; an empty folder is filled."""
    assert (await hub("schema", "export", "--check", "--folder", str(ROOT / "schema"))).code == 0
    stale = await hub("schema", "export", "--check", "--folder", str(tmp_path / "new"))
    assert stale.code == 1
    assert "hub schema export" in stale.err
    written = (await hub("schema", "export", "--folder", str(tmp_path / "new"), "--json")).json
    assert written["written"] == ["blueprint.schema.json", "event-kinds.json", "manifest.schema.json", "schema.graphql"]


def test_every_command_has_help() -> None:
    """`--help` for each command that the README lists."""
    table = (ROOT / "README.md").read_text().partition("## Commands")[2].partition("## Deploy")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `hub")]
    commands = []
    for row in rows:
        named = re.findall(r"`(?:hub )?([^`]+)`", row)
        words = named[0].split(" [")[0].split()
        first = [word for word in words if word.islower() and not word.startswith("-")]
        commands.append(first)
        commands += [[*first[:-1], other.split()[0]] if len(first) > 1 else [other.split()[-1]] for other in named[1:]]
    assert len(commands) >= 17
    for command in commands:
        ended = CliRunner().invoke(app, [*command, "--help"])
        assert ended.exit_code == 0, command
        assert "Usage" in ended.output


async def test_a_connection_is_replayed(hub: Hub) -> None:
    """In words and in JSON; a stream that there is not names those that there are."""
    assert (await hub("connect", "add", "inapp", "--name", "product", "--set", f"secret={'0' * 32}")).code == 0
    said = await hub("replay", "product")
    assert (said.code, said.out) == (0, "0 records read, 0 events retracted, 0 added; 0 cannot be read.\n"), said
    assert (await hub("replay", "product", "--stream", "reports", "--json")).json["retracted"] == 0
    assert "reports" in (await hub("replay", "product", "--stream", "nothing")).err
