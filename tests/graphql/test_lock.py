"""The lock file of the example documents: what each is called by its digest, costs, and takes in statements.

A change is seen in review: write the file anew with `HUB_TEST_WRITE=1 uv run pytest tests/graphql/test_lock.py`.
"""

from __future__ import annotations

import json
import os
from typing import Any

from graphql import get_operation_ast, parse

from hub.graphql.cost import Pricing
from hub.graphql.explorer import IN_THE_CHECKOUT, examples
from hub.graphql.schema import the_schema
from hub.graphql.trusted import id_of, load
from tests.graphql.test_examples import STATEMENTS

LOCK = IN_THE_CHECKOUT / "documents.lock.json"


def locked() -> dict[str, dict[str, Any]]:
    """What the lock file should say; the statements are those that `test_examples` counts."""
    return {
        name: {
            "id": id_of(text),
            "cost": cost_of(text, STATEMENTS[name][1] if name in STATEMENTS else {}),
            "statements": STATEMENTS[name][0] if name in STATEMENTS else None,
        }
        for name, text in examples().items()
    }


def cost_of(text: str, variables: dict[str, Any]) -> int:
    document = parse(text)
    operation = get_operation_ast(document)
    assert operation
    return Pricing(the_schema().core, document, variables).of(operation)


def test_the_lock_file_says_what_is_so() -> None:
    """A document that changes, or becomes dearer, is a change of this file."""
    found = locked()
    if os.environ.get("HUB_TEST_WRITE"):
        LOCK.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    assert json.loads(LOCK.read_text(encoding="utf-8")) == found


def test_the_examples_can_be_trusted_as_they_are() -> None:
    """`HUB_TRUSTED_DOCUMENTS=examples/queries` serves each under the id in the lock file."""
    trusted = load(IN_THE_CHECKOUT, "none")
    assert {one["id"] for one in locked().values()} == trusted.texts.keys()
