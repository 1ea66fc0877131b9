"""10: `normalize` is not what it should be."""

from tests.sdk.broken import CONNECTOR, FIXTURES, broken

MORE = 'yield sdk.Event("x.acme.seat.taken", answer.answered_at, sdk.Account("s", (sdk.keys.group("s"),)))'
MORE_JSON = (
    '{"kind": "x.acme.seat.taken", "occurred_at": "2026-02-01T09:30:00+00:00", "account": '
    '{"place": "s", "keys": [{"kind": "segment.group", "value": "s", "relation": "is"}]}}'
)
EMAIL = '        "keys": [{"kind": "email", "value": "ada@northwind.example", "relation": "is"}],\n'

BROKEN = [
    broken("it fails over an example", "normalize.fails", (CONNECTOR, "float(answer.score)", "float(answer.comment)")),
    broken(
        "it changes the record",
        "normalize.pure",
        (
            CONNECTOR,
            "company, person = answer.company",
            "answer.revision = 0\n        company, person = answer.company",
        ),
    ),
    broken(
        "it gives a kind that is not declared",
        "normalize.kinds",
        (CONNECTOR, "company, person = answer.company", f"{MORE}\n        company, person = answer.company"),
        (f"{FIXTURES}/answers.promoter.events.json", "[\n  {\n", f"[\n  {MORE_JSON},\n  {{\n"),
    ),
    broken(
        "a person cannot be recognised",
        "normalize.keys",
        (CONNECTOR, "(sdk.keys.email(person.email),)", "()"),
        (f"{FIXTURES}/answers.promoter.events.json", EMAIL, ""),
    ),
]
