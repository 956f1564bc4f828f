"""Whom a mailbox speaks for, what people found, and what a notice is made from; all of it pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from caselog.errors import ConfigError, RefusedError
from caselog.records.choices import CountryLevel
from caselog.records.hosting import Hosting
from desk.material import for_recipients
from desk.releasing import checked_preserver
from desk.tracing import Traced, Tracing, set_by_person, tracings, with_tracings
from tests.caselog_samples import NOW

TABLE = "verified row of the provider table"


def contact(source: str, why: str = "abuse role", address: str = "abuse@ovenhost.test") -> dict[str, Any]:
    return {
        "address": address,
        "role": "abuse",
        "source": source,
        "rank": 1,
        "why": why,
        "guessed": False,
    }


def row(**facts: Any) -> Hosting:
    return Hosting(host="bread.example", **{"mode": "registries", "resolved_at": NOW, **facts})


def tracing(what: Traced, value: str, **facts: Any) -> Tracing:
    return Tracing(
        **{"what": what, "value": value, "source": "reply", "reason": "told", "by": "ada", "at": NOW, **facts}
    )


@pytest.mark.parametrize(
    ("given", "proxied", "role"),
    [
        (contact("https://rdap.test/ip/203.0.113.7"), False, "network"),
        (contact("guess"), None, "network"),
        (contact("providers", f"{TABLE} (platform)"), False, "platform"),
        (contact("providers", f"{TABLE} (host)"), False, "host"),
        (contact("providers", f"{TABLE} (proxy)"), True, "proxy"),
        (contact("providers", f"{TABLE} (mixed)"), None, "host"),
        (contact("providers", f"{TABLE} (mixed)"), True, "proxy"),
        (contact("person"), True, "host"),
    ],
)
def test_a_mailbox_speaks_for_whoever_published_it(
    given: dict[str, Any], proxied: bool | None, role: str
) -> None:
    assert for_recipients(row(contacts=(given,), proxied=proxied)).contacts[0]["role"] == role


def test_a_traced_mailbox_behind_a_proxy_is_the_hosts_and_not_the_proxys() -> None:
    found = for_recipients(row(contacts=(contact("person"),), proxied=True, holder="Cellar Proxy"))

    assert (found.proxied, found.holder) == (None, None)


def test_a_later_finding_replaces_the_earlier_one() -> None:
    first = set_by_person(row(), tracing(Traced.COUNTRY, "FI"))
    second = set_by_person(first, tracing(Traced.COUNTRY, "SE", at=NOW + timedelta(days=1)))

    assert [one.value for one in tracings([first, second])] == ["SE"]
    assert [one["country"] for one in second.country_sources] == ["SE"]
    assert (second.country, second.country_level, second.set_by) == ("SE", CountryLevel.SINGLE, "ada")


def test_findings_of_several_kinds_stand_side_by_side() -> None:
    first = set_by_person(row(), tracing(Traced.COUNTRY, "FI"))
    second = set_by_person(first, tracing(Traced.CONTACT, "desk@ovenhost.test"))

    assert {one.what for one in tracings([second])} == {Traced.COUNTRY, Traced.CONTACT}
    assert with_tracings(row(), tracings([second])).contacts[0]["address"] == "desk@ovenhost.test"


def test_a_person_may_pick_a_mailbox_that_was_rejected() -> None:
    refused = {"address": "noc@ovenhost.test", "role": "", "source": "rdap", "why": "runs the network"}

    found = set_by_person(row(rejected_contacts=(refused,)), tracing(Traced.CONTACT, "noc@ovenhost.test"))

    assert [one["address"] for one in found.contacts] == ["noc@ovenhost.test"]
    assert found.rejected_contacts == ()


def test_another_country_by_hand_ends_the_national_route() -> None:
    found = set_by_person(row(country="FI", national_route="Finnish hotline"), tracing(Traced.COUNTRY, "SE"))

    assert (found.country, found.national_route) == ("SE", None)


@pytest.mark.parametrize("who", ["", "  ", None])
def test_nobody_preserves_unless_somebody_is_named(who: str | None) -> None:
    assert checked_preserver("ask", who) is None
    with pytest.raises(RefusedError):
        checked_preserver("require", who)


@pytest.mark.parametrize("who", ["x" * 121, "http://bread.example/", "see bread.example"])
def test_a_preserver_is_a_short_name(who: str) -> None:
    with pytest.raises(ConfigError):
        checked_preserver("off", who)
