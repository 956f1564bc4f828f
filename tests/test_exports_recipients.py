"""Who gets a notice: never the wrong one, and no item is lost on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.records.choices import CountryLevel
from caselog.records.hosting import Hosting
from caselog.records.ids import CaseId, EvidenceId, HostingId
from exports.recipients import (
    MOST_ITEMS,
    MOST_ITEMS_TO_NEW,
    Candidate,
    ContactBook,
    Leftover,
    Policy,
    bare_host,
    newest_hosting,
    plan_notices,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ABUSE = "abuse@ovens.example"
KNOWN = ContactBook(approved=frozenset({ABUSE}))


def _contact(address=ABUSE, role="network", rank=1, guessed=False):
    return {
        "address": address, "role": role, "source": "rdap", "rank": rank, "why": "abuse role",
        "guessed": guessed,
    }  # fmt: skip


def _hosting(host="bread.example", contacts=None, number=1, **changes):
    facts = {"mode": "registries", "holder": "Ovens", "resolved_at": NOON} | changes
    return Hosting(
        id=HostingId(number),
        host=host,
        contacts=(_contact(),) if contacts is None else tuple(contacts),
        **facts,
    )


def _candidate(number=1, host="bread.example", case=None):
    return Candidate(evidence_id=EvidenceId(number), host=host, case_id=case)


def _plan(hostings, candidates=None, policy=None, book=KNOWN):
    return plan_notices(candidates or [_candidate()], hostings, policy or Policy(), book)


@pytest.mark.parametrize(
    ("hosting", "reason"),
    [
        (_hosting(host="other.example"), "no_hosting"),
        (_hosting(contacts=()), "no_contact"),
        (_hosting(contacts=(), rejected_contacts=(_contact(),)), "only_rejected"),
        (_hosting(rejected_contacts=(_contact(ABUSE.upper()),)), "only_rejected"),
        (_hosting(contacts=[_contact("https://ovens.example/form")]), "form_only"),
        (_hosting(contacts=[_contact("a@b.example, c@d.example")]), "form_only"),
        (_hosting(contacts=[_contact(role="registrar")]), "no_contact"),
        (_hosting(contacts=[_contact(role="registry")]), "no_contact"),
        (_hosting(contacts=(), registrar_contact="abuse@names.example"), "no_contact"),
    ],
)
def test_a_host_without_a_usable_contact_comes_back_with_the_reason(hosting, reason):
    plan = _plan([hosting])

    assert plan.groups == ()
    assert plan.leftovers == (Leftover(evidence_id=EvidenceId(1), reason=reason),)


def test_a_blocked_contact_is_never_written_to():
    book = ContactBook(approved=frozenset({ABUSE}), blocked=frozenset({ABUSE}))

    assert _plan([_hosting()], book=book).leftovers[0].reason == "blocked_contact"


@pytest.mark.parametrize("host", ["abcd.onion", "abcd.onion:8080", "abcd.onion."])
def test_an_onion_gets_no_notice_and_says_so(host):
    plan = _plan([_hosting(host=host)], [_candidate(host=host)])

    assert plan.leftovers[0].reason == "onion"
    assert plan.groups == ()


def test_the_platform_comes_before_the_network():
    contacts = [_contact(rank=1), _contact("abuse@pages.example", role="platform", rank=2)]

    group = _plan([_hosting(contacts=contacts, platform="Pages")]).groups[0]

    assert (group.recipient, group.role, group.provider) == ("abuse@pages.example", "platform", "Pages")


def test_a_contact_that_is_known_comes_before_a_guessed_one_of_the_same_role():
    contacts = [_contact("guess@ovens.example", rank=1, guessed=True), _contact(rank=2)]

    assert _plan([_hosting(contacts=contacts)]).groups[0].recipient == ABUSE


def test_a_guessed_or_unknown_contact_is_flagged():
    group = _plan([_hosting(contacts=[_contact(guessed=True)])], book=ContactBook()).groups[0]

    assert (group.guessed, group.approved) == (True, False)
    assert _plan([_hosting()]).groups[0].approved is True


def test_a_proxied_site_goes_to_the_proxy_and_to_the_registrar_beside_it():
    hosting = _hosting(
        proxied=True, proxy="Glaze", registrar="Names", registrar_contact="abuse@names.example"
    )

    groups = _plan([hosting]).groups

    assert [(one.recipient, one.role, one.provider) for one in groups] == [
        (ABUSE, "proxy", "Glaze"),
        ("abuse@names.example", "registrar", "Names"),
    ]


def test_a_platform_behind_a_proxy_is_written_to_itself():
    contacts = [_contact(role="proxy"), _contact("abuse@pages.example", role="platform", rank=2)]
    hosting = _hosting(contacts=contacts, proxied=True, registrar_contact="abuse@names.example")

    assert [(one.recipient, one.role) for one in _plan([hosting]).groups] == [
        ("abuse@pages.example", "platform")
    ]


def test_a_site_that_is_not_proxied_leaves_the_registrar_alone():
    assert [one.role for one in _plan([_hosting(registrar_contact="a@names.example")]).groups] == ["network"]


def test_one_contact_gets_one_notice_for_all_its_hosts():
    hostings = [
        _hosting(f"{n}.example", [_contact(ABUSE.upper() if n % 2 else ABUSE)], n) for n in range(1, 4)
    ]

    groups = _plan(hostings, [_candidate(n, f"{n}.example") for n in range(1, 4)]).groups

    assert [one.evidence_ids for one in groups] == [(1, 2, 3)]
    assert groups[0].hosting_ids == (1, 2, 3)


def test_cases_are_not_mixed():
    candidates = [_candidate(1, case=CaseId(1)), _candidate(2, case=CaseId(2))]

    assert [one.case_id for one in _plan([_hosting()], candidates).groups] == [1, 2]


def test_a_notice_holds_at_most_fifty_items():
    groups = _plan([_hosting()], [_candidate(n) for n in range(1, 121)]).groups

    assert [len(one.evidence_ids) for one in groups] == [50, 50, 20]


def test_a_new_contact_is_told_at_most_five_addresses():
    plan = _plan([_hosting()], [_candidate(n) for n in range(1, 9)], book=ContactBook())

    assert [one.evidence_ids for one in plan.groups] == [(1, 2, 3, 4, 5)]
    assert {one.reason for one in plan.leftovers} == {"new_contact_limit"}
    assert [one.evidence_id for one in plan.leftovers] == [6, 7, 8]


def test_a_second_draft_adds_nothing_and_does_not_open_the_five_again():
    told = {ABUSE: frozenset(map(EvidenceId, range(1, 6)))}

    plan = _plan([_hosting()], [_candidate(n) for n in range(1, 9)], book=ContactBook(told=told))

    assert plan.groups == ()
    assert Counter(one.reason for one in plan.leftovers) == {"already_told": 5, "new_contact_limit": 3}


@pytest.mark.parametrize("level", [CountryLevel.AGREED, CountryLevel.MAJORITY])
@pytest.mark.parametrize(
    ("abroad", "groups", "referred"), [("refer", 0, 1), ("notify", 1, 0), ("both", 1, 1)]
)
def test_abroad_goes_the_way_that_is_set(level, abroad, groups, referred):
    hosting = _hosting(country="NL", country_level=level, national_route="nl-hotline")

    plan = _plan([hosting], policy=Policy(authority_country="DE", abroad=abroad))

    assert (len(plan.groups), len(plan.referred)) == (groups, referred)
    assert [one.national_route for one in plan.referred] == ["nl-hotline"] * referred


@pytest.mark.parametrize("level", [CountryLevel.SINGLE, CountryLevel.DISPUTED, CountryLevel.UNKNOWN])
def test_a_country_that_is_not_established_opens_no_national_route(level):
    hosting = _hosting(country="NL", country_level=level)

    plan = _plan([hosting], policy=Policy(authority_country="DE"))

    assert plan.referred == ()
    assert len(plan.groups) == 1


def test_at_home_a_notice_goes_out():
    hosting = _hosting(country="DE", country_level=CountryLevel.AGREED)

    assert len(_plan([hosting], policy=Policy(authority_country="de")).groups) == 1


def test_the_newest_look_up_counts_but_an_intake_row_hides_nothing():
    fuller = _hosting(number=1)
    newer = _hosting(
        contacts=[_contact("new@ovens.example")], number=2, resolved_at=NOON + timedelta(hours=1)
    )
    intake = _hosting(contacts=(), number=3, mode="intake", resolved_at=NOON + timedelta(hours=2))

    assert _plan([intake, newer, fuller]).groups[0].recipient == "new@ovens.example"
    assert newest_hosting([intake])["bread.example"] is intake


@pytest.mark.parametrize(
    ("host", "bare"),
    [
        ("bread.example:8080", "bread.example"),
        ("bread.example", "bread.example"),
        ("[2001:db8::1]:8080", "[2001:db8::1]"),
        ("2001:db8::1", "2001:db8::1"),
        ("192.0.2.1:80", "192.0.2.1"),
    ],
)
def test_a_host_key_loses_its_port_only(host, bare):
    assert bare_host(host) == bare
    assert newest_hosting([_hosting(host=bare)])[bare_host(host)].host == bare


ADDRESSES = st.sampled_from([ABUSE, "b@oven.example", "c@oven.example", "form:https", ""])
CONTACTS = st.builds(
    _contact,
    ADDRESSES,
    st.sampled_from(["host", "network", "platform", "registrar"]),
    st.integers(0, 3),
    st.booleans(),
)
HOSTS = st.sampled_from(["a.example", "b.example:81", "c.onion", "d.example"])


@given(
    hostings=st.lists(
        st.builds(
            _hosting, HOSTS, st.lists(CONTACTS, max_size=3), st.integers(1, 9),
            proxied=st.sampled_from([True, False, None]),
            rejected_contacts=st.lists(CONTACTS, max_size=1).map(tuple),
            country=st.sampled_from(["NL", "DE", None]), country_level=st.sampled_from(CountryLevel),
            registrar_contact=st.sampled_from([None, "r@names.example"]),
        ), max_size=5,
    ),
    hosts=st.lists(HOSTS, max_size=130),
    abroad=st.sampled_from(["refer", "notify", "both"]),
    approved=st.frozensets(ADDRESSES),
)  # fmt: skip
def test_no_item_is_lost_and_no_rule_is_broken(hostings, hosts, abroad, approved):
    candidates = [_candidate(number, host) for number, host in enumerate(hosts, start=1)]

    plan = plan_notices(
        candidates, hostings, Policy(authority_country="DE", abroad=abroad), ContactBook(approved=approved)
    )

    grouped = {number for group in plan.groups for number in group.evidence_ids}
    placed = (
        grouped | {one.evidence_id for one in plan.referred} | {one.evidence_id for one in plan.leftovers}
    )
    assert placed == {one.evidence_id for one in candidates}
    new = Counter()
    rows = newest_hosting(hostings)
    for group in plan.groups:
        assert 0 < len(group.evidence_ids) <= MOST_ITEMS
        assert len(set(group.evidence_ids)) == len(group.evidence_ids)
        new[group.recipient] += 0 if group.recipient in approved else len(group.evidence_ids)
        for number in group.evidence_ids:
            row = rows[hosts[number - 1]]
            assert group.recipient not in {one["address"] for one in row.rejected_contacts}
    assert all(count <= MOST_ITEMS_TO_NEW for count in new.values())


def test_a_plan_does_not_hang_on_the_order_of_its_input():
    hostings = [_hosting(f"{n}.example", number=n) for n in range(1, 5)]
    candidates = [_candidate(n, f"{n}.example") for n in range(1, 5)]

    assert _plan(hostings, candidates) == _plan(hostings[::-1], candidates[::-1])


def test_a_group_is_guessed_when_one_of_its_items_is():
    hostings = [_hosting("a.example", [_contact()], 1), _hosting("b.example", [_contact(guessed=True)], 2)]

    group = _plan(hostings, [_candidate(1, "a.example"), _candidate(2, "b.example")]).groups[0]

    assert group.guessed is True
    assert replace(group, guessed=False) != group
