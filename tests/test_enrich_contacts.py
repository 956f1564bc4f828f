"""Whom to write to, and above all whom not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from enrich.addresses import parse_address
from enrich.contacts import Judge, network_candidates, read_never_list, whois_candidates
from enrich.interface import Fetched
from enrich.names import Suffixes
from enrich.rdap import read_registration
from enrich.whois import abuse_mails, registrar_in
from tests.servers.rdap import entity, network

if TYPE_CHECKING:
    from enrich.interface import Ranked

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(never=read_never_list(), suffixes=Suffixes(), own_domains=frozenset({"bread.example"}))


def rank(judge: Judge, *entities: dict[str, Any], **more: Any) -> Ranked:
    read = read_registration(network("192.0.2.0/24", *entities, **more))
    return judge.rank(
        network_candidates(Fetched(source="x", server="x", registration=read, fetched_at=NOW), 0)
    )


def accepted(ranked: Ranked) -> list[str]:
    return [row["address"] for row in ranked.accepted]


@pytest.mark.parametrize(
    ("mail", "why"),
    [
        ("hostmaster@nic.or.kr", "a registry"),
        ("hostmaster@nic.ad.jp", "a registry"),
        ("abuse@ripe.net", "a registry"),
        ("removed@lacnic.net", "a placeholder"),
        ("removed@oven.test", "a placeholder"),
        ("redacted-for-privacy@oven.test", "a placeholder"),
        ("noreply@oven.test", "a placeholder"),
        ("x123@domainsbyproxy.com", "a privacy service"),
        ("abuse@bread.example", "on the offending domain"),
        ("abuse@mail.bread.example", "on the offending domain"),
    ],
)
def test_some_mailboxes_are_never_written_to_even_in_the_abuse_role(
    judge: Judge, mail: str, why: str
) -> None:
    ranked = rank(judge, entity(["abuse"], "A", mail))

    assert accepted(ranked) == []
    assert [(row["address"], row["why"]) for row in ranked.rejected] == [(mail, why)]


def test_a_name_that_only_ends_like_the_offending_domain_is_another(judge: Judge) -> None:
    assert accepted(rank(judge, entity(["abuse"], "A", "abuse@sourbread.example"))) == [
        "abuse@sourbread.example"
    ]


def test_the_networks_own_abuse_role_comes_before_the_holders(judge: Judge) -> None:
    nested = entity(["abuse"], "Holder Abuse", "abuse@holder.test")
    holder = entity(["registrant"], "Holder", kind="org", entities=[nested])
    ranked = rank(judge, holder, entity(["abuse"], "Net", "abuse@network.test"))

    assert accepted(ranked) == ["abuse@network.test", "abuse@holder.test"]
    assert [row["rank"] for row in ranked.accepted] == [1, 2]


def test_a_nested_abuse_role_is_found(judge: Judge) -> None:
    holder = entity(["registrant"], "Holder", entities=[entity(["abuse"], "A", "abuse@holder.test")])

    assert accepted(rank(judge, holder, entity(["technical"], "Dns", "dns@holder.test"))) == [
        "abuse@holder.test"
    ]


def test_a_person_in_the_abuse_role_is_the_contact_but_nobody_elses_person_is(judge: Judge) -> None:
    person = entity(["abuse", "technical"], "P", "anna.berg@oven.test", kind="individual")
    other = entity(["technical"], "Q", "ida.korn@oven.test", kind="individual")

    assert accepted(rank(judge, person, other)) == ["anna.berg@oven.test"]


def test_a_registry_in_the_abuse_role_gives_way_to_an_abuse_mailbox_in_another(judge: Judge) -> None:
    irt = entity(["abuse"], "IRT", "hostmaster@nic.or.kr")
    mails = ("ipadm@oven.test", "abuse@oven.test", "security@oven.test")

    assert accepted(rank(judge, irt, entity(["technical"], "T", *mails))) == ["abuse@oven.test"]


def test_several_unclear_mailboxes_in_the_abuse_role_are_all_rejected(judge: Judge) -> None:
    ranked = rank(judge, entity(["abuse"], "R", "zz@oven.test", "anna.berg@oven.test"))

    assert accepted(ranked) == []
    assert len(ranked.rejected) == 2


def test_one_of_several_that_is_named_for_abuse_is_taken(judge: Judge) -> None:
    assert accepted(rank(judge, entity(["abuse"], "R", "anna.berg@oven.test", "abuse@oven.test"))) == [
        "abuse@oven.test"
    ]


@pytest.mark.parametrize(
    "mail", ["noc@oven.test", "peering@oven.test", "aws-routing-poc@oven.test", "hostmaster@oven.test"]
)
def test_those_who_run_the_network_are_not_written_to(judge: Judge, mail: str) -> None:
    alone = rank(judge, entity(["technical"], "T", mail))
    beside = rank(judge, entity(["technical", "abuse"], "T", mail), entity(["abuse"], "A", "abuse@oven.test"))

    assert accepted(alone) == []
    assert accepted(beside) == ["abuse@oven.test"]


def test_a_mailbox_in_a_remark_counts_when_it_is_named_for_abuse(judge: Judge) -> None:
    remarks = [{"description": ["please send abuse reports to abuse@oven.test", "questions: anna@oven.test"]}]
    maintainer = {**entity([], "M", "ip-maint@oven.test"), "roles": None}

    assert accepted(rank(judge, maintainer, remarks=remarks)) == ["abuse@oven.test"]


def test_without_any_role_only_a_team_is_a_last_resort(judge: Judge) -> None:
    person = entity([], "P", "anna@oven.test", "support@other.test", kind="individual")
    team = entity([], "T", "ida@oven.test", "support@oven.test", kind="org")

    assert accepted(rank(judge, person, team)) == ["support@oven.test"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OrgAbuseEmail:  abuse@oven.test\nOrgTechEmail: anna@oven.test", ("abuse@oven.test",)),
        ("inetnum: 192.0.2.0 - 192.0.2.255\nabuse-mailbox: abuse@oven.test", ("abuse@oven.test",)),
        ("% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@oven.test'", ("abuse@oven.test",)),
        ("remarks: send abuse reports to abuse@oven.test", ("abuse@oven.test",)),
        ("remarks: abuse: a@oven.test b@oven.test", ()),
        ("% Abuse contact for '192.0.2.0/24' is 'not disclosed'", ()),
        ("e-mail: anna@oven.test", ()),
        ("inetnum: 198.51.100.0 - 198.51.100.255\nabuse-mailbox: abuse@other.test", ()),
        ("OrgAbuseEmail: abuse@oven.test;rm", ()),
    ],
)
def test_abuse_lines_of_whois_text(text: str, expected: tuple[str, ...]) -> None:
    address = parse_address("192.0.2.7")
    assert address is not None

    assert abuse_mails(text, address) == expected


def test_whois_mailboxes_are_judged_like_all_others(judge: Judge) -> None:
    ranked = judge.rank(whois_candidates(["hostmaster@nic.ad.jp", "abuse@oven.test"], "whois"))

    assert accepted(ranked) == ["abuse@oven.test"]


def test_a_registrar_without_an_abuse_line_is_a_name_alone() -> None:
    assert registrar_in("Registrar: Bread Names\nRegistrant Email: anna@bread.example") == (
        "Bread Names",
        None,
    )
