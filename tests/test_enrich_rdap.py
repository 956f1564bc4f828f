"""Registry answers as hostile input: facts come out, or nothing does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caselog.errors import SourceError
from enrich.contacts import Judge, network_candidates, read_never_list
from enrich.interface import Fetched
from enrich.names import Suffixes
from enrich.rdap import mail_address, mails_in, read_json, read_registration
from tests.servers.rdap import card, entity, network
from tests.test_enrich_contacts import NOW

JUDGE = Judge(
    never=read_never_list(), suffixes=Suffixes(), own_domains=frozenset({"bread.example", "bread.test"})
)


@pytest.mark.parametrize(
    "text",
    [
        "abuse@oven.test\r\nBcc: x@other.test",
        "abuse@oven.test\n",
        "abuse@oven.test\t",
        "\x00abuse@oven.test",
        "abuse@oven.test, b@oven.test",
        "Abuse <abuse@oven.test>",
        "abuse@oven",
        "abuse@",
        "@oven.test",
        "a@b@oven.test",
        "abuse..desk@oven.test",
        ".abuse@oven.test",
        "abuse@-oven.test",
        "abuse@oven.test.",
        "abuse@192.0.2.1",
        "abuse@[192.0.2.1]",
        "abuse@oven\u2028.test",
        "bäcker@oven.test",
        "abuse@" + "a" * 250 + ".test",
        "not disclosed",
        "",
        "mailto:",
    ],
)
def test_what_is_no_whole_mailbox_is_refused(text: str) -> None:
    assert mail_address(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Abuse@Oven.TEST", "abuse@oven.test"),
        ("mailto:abuse@oven.test?subject=x", "abuse@oven.test"),
        ("abuse@a2ovens.test", "abuse@a2ovens.test"),
        ("abuse@bäcker.test", "abuse@xn--bcker-gra.test"),
        ("ip+abuse@oven.co.test", "ip+abuse@oven.co.test"),
    ],
)
def test_mailboxes_are_read_whole_and_in_lower_case(text: str, expected: str) -> None:
    assert mail_address(text) == expected


def test_mailboxes_in_text_are_whole_tokens() -> None:
    text = "write to <abuse@oven.test>, or mailto:help@oven.test. not a..b@oven.test"

    assert mails_in(text) == ("abuse@oven.test", "help@oven.test")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"<html>",
        b'{"a": NaN}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'"' + b'\\"' * 200_000,
    ],
)
def test_what_is_no_small_json_object_is_a_failure(body: bytes) -> None:
    with pytest.raises(SourceError):
        read_json(body)


def test_brackets_inside_strings_are_no_depth() -> None:
    assert read_json(json.dumps({"a": "[{" * 500 + '\\"'}).encode())["a"].startswith("[{")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("192.000.002.000", "192.000.002.255", "192.0.2.0 - 192.0.2.255"),
        ("192.0.2.0/32", "192.0.2.255/32", "192.0.2.0 - 192.0.2.255"),
        ("2001:db8::/128", "2001:db8::ffff/128", "2001:db8:: - 2001:db8::ffff"),
    ],
)
def test_ranges_are_read_as_registries_write_them(start: str, end: str, expected: str) -> None:
    assert str(read_registration({"startAddress": start, "endAddress": end}).span) == expected


@pytest.mark.parametrize(
    ("start", "end"), [("192.0.2.9", "192.0.2.1"), ("192.0.2.1", "2001:db8::"), ("x", ""), (1, 2)]
)
def test_a_malformed_range_is_none(start: object, end: object) -> None:
    assert read_registration({"startAddress": start, "endAddress": end}).span is None


def test_an_entity_without_a_handle_does_not_hide_those_after_it() -> None:
    bare = {"roles": ["technical"]}
    found = read_registration(network("192.0.2.0/24", bare, entity(["abuse"], "A", "abuse@oven.test")))

    assert [one.mails for one in found.entities] == [(), ("abuse@oven.test",)]


def test_entities_are_read_to_depth_four_with_who_holds_them() -> None:
    inner = entity(["abuse"], "A", "abuse@oven.test")
    for _ in range(6):
        inner = entity(["registrant"], "H", entities=[inner])

    found = read_registration(network("192.0.2.0/24", inner)).entities

    assert [one.depth for one in found] == [0, 1, 2, 3, 4]
    assert found[1].under == ("registrant",)


def test_list_valued_and_repeated_mail_values_are_all_read() -> None:
    cards: list[Any] = card("A")
    cards[1] += [
        ["email", {}, "text", ["a@oven.test", "b@oven.test"]],
        ["EMAIL", {}, "text", "c@oven.test", "d@oven.test"],
    ]
    found = read_registration({"entities": [{"roles": "abuse", "vcardArray": cards}]})

    assert found.entities[0].roles == ("abuse",)
    assert found.entities[0].mails == ("a@oven.test", "b@oven.test", "c@oven.test", "d@oven.test")


def test_a_mail_with_a_line_end_is_kept_as_bad_and_printable() -> None:
    found = read_registration({"entities": [entity(["abuse"], "A", "abuse@oven.test\r\nBcc: x@y.test")]})

    assert (found.entities[0].mails, found.entities[0].bad_mails) == ((), ("abuse@oven.test  Bcc: x@y.test",))


def test_geofeeds_are_found_in_links_and_remarks() -> None:
    link = {"links": [{"rel": "geo", "href": "https://oven.test/feed.csv"}]}
    remark = {"remarks": [{"description": ["Geofeed https://oven.test/feed.csv"]}]}

    assert (
        read_registration(link).geofeed_url
        == read_registration(remark).geofeed_url
        == "https://oven.test/feed.csv"
    )


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=8)
    | st.sampled_from(
        [
            "abuse",
            "abuse@oven.test",
            "abuse@bread.example",
            "hostmaster@apnic.net",
            "removed@lacnic.net",
            "individual",
            "org",
        ]
    )
)
KEYS = st.sampled_from(
    [
        "entities",
        "roles",
        "vcardArray",
        "handle",
        "remarks",
        "description",
        "links",
        "rel",
        "href",
        "startAddress",
        "country",
    ]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=40,
)


def judged(answer: dict[str, Any]) -> tuple[list[str], list[str]]:
    read = read_registration(read_json(json.dumps(answer).encode()))
    found = Fetched(source="x", server="x", registration=read, fetched_at=NOW)
    ranked = JUDGE.rank(network_candidates(found, 0))
    return [row["address"] for row in ranked.accepted], [row["address"] for row in ranked.rejected]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=5))
def test_no_shape_of_an_answer_crashes_or_yields_a_forbidden_contact(answer: dict[str, Any]) -> None:
    accepted, rejected = judged(answer)

    assert all(mail_address(mail) == mail for mail in accepted)
    assert not {"abuse@bread.example", "hostmaster@apnic.net", "removed@lacnic.net"} & set(accepted)
    assert not set(accepted) & set(rejected)


ROLES = st.lists(
    st.sampled_from(["abuse", "technical", "administrative", "noc", "registrant"]), max_size=3, unique=True
)
NEVER = [
    "hostmaster@nic.or.kr",
    "removed@lacnic.net",
    "x@domainsbyproxy.com",
    "abuse@www.bread.test",
    "redacted@oven.test",
]
MAILS = st.lists(
    st.sampled_from([*NEVER, "abuse@oven.test", "noc@oven.test", "anna.berg@oven.test"]), max_size=4
)
ENTITIES = st.builds(
    lambda roles, mails, kind: entity(roles, "E", *mails, kind=kind),
    ROLES,
    MAILS,
    st.sampled_from(["individual", "group", "org"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ENTITIES, max_size=5))
def test_no_mixture_of_entities_lets_a_forbidden_mailbox_through(entities: list[dict[str, Any]]) -> None:
    accepted, rejected = judged({"entities": entities})
    published = {row[3] for one in entities for row in one["vcardArray"][1] if row[0] == "email"}

    assert not set(NEVER) & set(accepted)
    assert set(accepted) | set(rejected) == published


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_a_mailbox_never_holds_what_could_end_a_header(text: str) -> None:
    mail = mail_address(text)

    assert mail is None or (
        mail.isascii() and mail.isprintable() and " " not in mail and mail.count("@") == 1
    )
