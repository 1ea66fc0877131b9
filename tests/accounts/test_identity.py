"""Identity is a function of the asserted keys and of what people decided, and of nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.identity import (
    CROWD,
    Claim,
    Founded,
    Strength,
    anchor_of,
    founds,
    named,
    partition,
    same_people,
    strength,
)

CONNECTIONS = PRODUCT, BILLING, SUPPORT = UUID(int=1), UUID(int=2), UUID(int=3)
START = datetime(2026, 1, 1, tzinfo=UTC)


def source(number: int) -> UUID:
    return UUID(int=1_000 + number)


def claim(number: int, connection: UUID, key: str) -> Claim:
    kind, _, value = key.partition("=")
    return Claim(source(number), connection, (kind, value))


def groups(*claims: Claim, bonds: tuple[tuple[int, int], ...] = ()) -> list[list[int]]:
    """The numbers of the sources in each cluster."""
    parts = partition(claims, [(source(one), source(other)) for one, other in bonds], {})
    return [sorted(found.int - 1_000 for found in cluster.sources) for cluster in parts.clusters]


def contested(*claims: Claim) -> set[str]:
    return {value for _, value in partition(claims, [], {}).contested}


def test_a_strong_key_makes_one_account() -> None:
    """Sources that share a group or a vendor's id are one, over any number of steps and connections."""
    assert groups(
        claim(1, PRODUCT, "segment.group=a"),
        claim(2, BILLING, "segment.group=a"),
        claim(2, BILLING, "external:stripe.customer=cus_1"),
        claim(3, SUPPORT, "external:stripe.customer=cus_1"),
        claim(4, PRODUCT, "segment.group=b"),
    ) == [[1, 2, 3], [4]]


def test_a_domain_joins_what_no_connection_keeps_apart() -> None:
    """One account in the product and one customer in billing with the same domain are one."""
    assert groups(
        claim(1, PRODUCT, "segment.group=a"),
        claim(1, PRODUCT, "domain=a.example"),
        claim(2, BILLING, "external:stripe.customer=cus_1"),
        claim(2, BILLING, "domain=a.example"),
    ) == [[1, 2]]


def test_a_domain_that_one_connection_knows_twice_joins_nothing() -> None:
    """Two customers with one domain in billing: it is contested, also for the account in the product."""
    claims = (
        claim(1, PRODUCT, "segment.group=a"),
        claim(1, PRODUCT, "domain=a.example"),
        claim(2, BILLING, "external:stripe.customer=cus_1"),
        claim(2, BILLING, "domain=a.example"),
        claim(3, BILLING, "external:stripe.customer=cus_2"),
        claim(3, BILLING, "domain=a.example"),
    )
    assert groups(*claims) == [[1], [2], [3]]
    assert contested(*claims) == {"a.example"}


def test_two_domains_do_not_join_over_a_third_account_what_one_alone_would_not() -> None:
    """Billing keeps two customers apart; that the product's account has both their domains does not join them."""
    claims = (
        claim(1, PRODUCT, "segment.group=a"),
        claim(1, PRODUCT, "domain=a.example"),
        claim(1, PRODUCT, "domain=b.example"),
        claim(2, BILLING, "external:stripe.customer=cus_1"),
        claim(2, BILLING, "domain=a.example"),
        claim(3, BILLING, "external:stripe.customer=cus_2"),
        claim(3, BILLING, "domain=b.example"),
    )
    assert groups(*claims) == [[1], [2], [3]]
    assert contested(*claims) == {"a.example", "b.example"}


def test_a_strong_key_settles_a_contested_domain() -> None:
    """Two customers in billing that carry the same group are one, so their domain is unambiguous."""
    assert groups(
        claim(1, BILLING, "segment.group=a"),
        claim(1, BILLING, "domain=a.example"),
        claim(2, BILLING, "segment.group=a"),
        claim(2, BILLING, "domain=a.example"),
        claim(3, SUPPORT, "domain=a.example"),
    ) == [[1, 2, 3]]


def test_free_mail_and_placeholders_identify_nobody() -> None:
    """A mailbox provider's domain and what programs write for "none" make no account and join none."""
    for key in ("domain=gmail.com", "domain=tutanota.com", "segment.group=undefined", "external:crm.account=null"):
        kind, _, value = key.partition("=")
        assert strength((kind, value)) is Strength.NOTHING
        assert groups(claim(1, PRODUCT, key), claim(2, BILLING, key)) == []


def test_a_crowded_domain_identifies_nobody_and_suggests_nothing() -> None:
    """More customers than a company has: the domain belongs to somebody who pays for others."""
    crowd = [claim(number, BILLING, "domain=agency.example") for number in range(CROWD + 1)]
    assert len(groups(*crowd)) == CROWD + 1
    assert contested(*crowd) == set()
    assert contested(*crowd[:-1]) == {"agency.example"}


def test_a_user_key_founds_no_account_and_joins_none() -> None:
    """Two groups with the same user stay two accounts."""
    assert not founds(("segment.user", "7"))
    assert groups(
        claim(1, PRODUCT, "segment.group=a"),
        claim(1, PRODUCT, "segment.user=7"),
        claim(2, PRODUCT, "segment.group=b"),
        claim(2, PRODUCT, "segment.user=7"),
        claim(3, PRODUCT, "segment.user=7"),
    ) == [[1], [2]]


def test_a_persons_merge_only_adds() -> None:
    """The bond joins what each side is by its keys; no domain is judged otherwise for it."""
    claims = (
        claim(1, PRODUCT, "domain=a.example"),
        claim(2, BILLING, "domain=a.example"),
        claim(3, BILLING, "domain=b.example"),
    )
    assert groups(*claims) == [[1, 2], [3]]
    assert groups(*claims, bonds=((1, 3),)) == [[1, 2, 3]]


def test_the_oldest_account_survives_unless_a_person_said_otherwise() -> None:
    """Of the accounts in a cluster the oldest stands for it; one that lost a merge never does."""
    old, young = Founded(UUID(int=9), START), Founded(UUID(int=8), START + timedelta(days=1))
    claims = [claim(1, PRODUCT, "segment.group=a"), claim(2, BILLING, "segment.group=a")]
    both = partition(claims, [], {source(1): young, source(2): old}).clusters[0]
    assert both.survivor == old
    lost = Founded(old.account_id, START, lost=True)
    assert partition(claims, [], {source(1): young, source(2): lost}).clusters[0].survivor == young


def test_a_new_account_is_anchored_where_a_strong_key_is() -> None:
    """The anchor is what the account follows when a cluster falls apart, so a domain alone is the last choice."""
    assert anchor_of([source(1), source(2), source(3)], {source(3)}) == source(3)
    assert anchor_of([source(2), source(1)], set()) == source(1)


def test_memberships_name_one_account_or_none() -> None:
    """A strong membership outranks a domain; two that disagree leave the place waiting."""
    a, b = UUID(int=1), UUID(int=2)
    owners = {("segment.group", "a"): {a}, ("segment.group", "b"): {b}, ("domain", "b.example"): {b}}
    assert named([("segment.group", "a"), ("domain", "b.example")], owners) == {a}
    assert named([("segment.group", "unknown"), ("domain", "b.example")], owners) == {b}
    assert named([("segment.group", "a"), ("segment.group", "b")], owners) == {a, b}
    assert named([("domain", "gmail.com")], {("domain", "gmail.com"): {a}}) == frozenset()
    assert named([], owners) == frozenset()


def test_people_are_one_by_address_or_id() -> None:
    """A shared address makes one person, a shared mailbox does not."""
    assert same_people(
        [
            claim(1, PRODUCT, "segment.user=7"),
            claim(1, PRODUCT, "email=ann@a.example"),
            claim(2, BILLING, "email=ann@a.example"),
            claim(3, PRODUCT, "segment.user=8"),
        ]
    ) == [frozenset({source(1), source(2)}), frozenset({source(3)})]
    mailbox = [claim(number, PRODUCT, "email=info@a.example") for number in range(CROWD + 1)]
    assert len(same_people(mailbox)) == CROWD + 1


KEYS = st.sampled_from(
    [
        "segment.group=a",
        "segment.group=b",
        "external:crm.account=1",
        "domain=a.example",
        "domain=b.example",
        "domain=gmail.com",
        "segment.user=7",
    ]
)
CLAIMS = st.lists(
    st.builds(lambda number, key: claim(number, CONNECTIONS[number % 3], key), st.integers(0, 7), KEYS), max_size=25
)
PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=3)


@given(CLAIMS, PAIRS, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(claims: list[Claim], bonds: list[tuple[int, int]], rng: Random) -> None:
    """Shuffled and doubled claims give the same clusters and the same contested domains."""
    pairs = [(source(one), source(other)) for one, other in bonds]
    again = [*claims, *rng.sample(claims, len(claims) // 2)]
    rng.shuffle(again)
    rng.shuffle(pairs)
    assert partition(again, pairs, {}) == partition(claims, [(source(a), source(b)) for a, b in bonds], {})


@given(CLAIMS)
def test_a_weak_key_never_joins_what_one_connection_keeps_apart(claims: list[Claim]) -> None:
    """Two customers of one connection that claim domains are in one cluster only if strong keys say so."""
    connection = {claim.source: claim.connection for claim in claims}
    weak = {claim.source for claim in claims if strength(claim.key) is Strength.WEAK}
    strong = partition([claim for claim in claims if strength(claim.key) is Strength.STRONG], [], {})
    for cluster in partition(claims, [], {}).clusters:
        for one, other in combinations(sorted(cluster.sources & weak), 2):
            if connection[one] == connection[other]:
                assert any({one, other} <= found.sources for found in strong.clusters)


class Ledger:
    """The accounts that come of claims taken in one after the other, as the hub keeps them."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.founded: dict[UUID, Founded] = {}
        self.merges: dict[int, tuple[UUID, UUID]] = {}

    def mapping(self) -> dict[UUID, UUID]:
        """The account of each source now; accounts that are missing are founded."""
        anchors = {account.account_id: anchor for anchor, account in self.founded.items()}
        losers = {loser for _, loser in self.merges.values()}
        bonds = [(anchors[winner], anchors[loser]) for winner, loser in self.merges.values()]
        founded = {
            anchor: Founded(account.account_id, account.created_at, account.account_id in losers)
            for anchor, account in self.founded.items()
        }
        strong = {claim.source for claim in self.claims if strength(claim.key) is Strength.STRONG}
        homes = {}
        for cluster in partition(self.claims, bonds, founded).clusters:
            survivor = cluster.survivor
            if survivor is None:
                number = len(self.founded)
                survivor = Founded(UUID(int=10_000 + number), START + timedelta(hours=number))
                self.founded[anchor_of(cluster.sources, strong)] = survivor
            homes.update(dict.fromkeys(cluster.sources, survivor.account_id))
        return homes


@given(CLAIMS, CLAIMS, st.randoms(use_true_random=False))
def test_undoing_a_merge_leaves_no_trace(before: list[Claim], meanwhile: list[Claim], rng: Random) -> None:
    """Merged and undone, with new sources arriving between, the mapping is what it would be without the merge."""
    merged, untouched = Ledger(), Ledger()
    for ledger in (merged, untouched):
        ledger.claims = list(before)
    homes = merged.mapping()
    assert homes == untouched.mapping()
    accounts = sorted(set(homes.values()))
    if len(accounts) < 2:
        return
    winner, loser = rng.sample(accounts, 2)
    merged.merges[1] = (winner, loser)
    together = merged.mapping()
    assert loser not in together.values()
    assert {place for place, home in together.items() if home == winner} >= {
        place for place, home in homes.items() if home in (winner, loser)
    }
    del merged.merges[1]
    assert merged.mapping() == homes
    merged.merges[1] = (winner, loser)
    merged.claims += meanwhile
    merged.mapping()
    del merged.merges[1]
    untouched.claims += meanwhile
    assert same_split(merged.mapping()) == same_split(untouched.mapping())


def same_split(homes: dict[UUID, UUID]) -> set[frozenset[UUID]]:
    """Which sources are together, whatever their accounts are called."""
    return {frozenset(place for place, home in homes.items() if home == account) for account in set(homes.values())}
