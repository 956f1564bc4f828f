"""The mail: headers that cannot be forged, addresses that come out as they went in."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caselog.errors import ConfigError, RefusedError
from caselog.records.choices import CountryLevel
from exports.letter import TEMPLATES, compose_mail, letter_text, mail_bytes, message_id, written_language
from exports.redact import Audience, redact
from exports.table import FORMULA_STARTS, guarded, table_bytes, unguarded
from tests.exports_samples import AUTHORITY, ITEM, NOTICE, POSTING

PRINTABLE = st.text(min_size=1, max_size=1500).filter(str.isprintable)
URLS = st.one_of(
    PRINTABLE,
    st.builds("https://bread.example/{}".format, PRINTABLE),
    st.builds("https://bread.example/{}".format, st.text("=?_.\u00e4'\"<>%~ -", max_size=1200)),
)


def _cut(audience=Audience.HOST, notice=None, items=(ITEM,), **changes):
    posting = replace(POSTING, notice=replace(NOTICE, **(notice or {})), **changes)
    return redact(items, audience, posting)


def _body(raw):
    return message_from_bytes(raw, policy=default).get_body().get_content()


def _csv_rows(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize(
    "address",
    [
        "abuse@ovens.example\r\nBcc: all@flour.example",
        "abuse@ovens.example\nX: y",
        "abuse@ovens.example, other@ovens.example",
        "Abuse <abuse@ovens.example>",
        "abuse@ovens",
        "abuse",
        "@ovens.example",
        "a@b@ovens.example",
        "b\u00e4ker@ovens.example",
        "abuse@ovens..example",
        "",
    ],
)
@pytest.mark.parametrize("place", ["recipient", "sender", "contact"])
def test_a_header_takes_one_plain_mailbox_only(address, place):
    changes = {
        "recipient": {"notice": {"recipient": address}},
        "sender": {"sender": address},
        "contact": {"authority": replace(AUTHORITY, contact=address)},
    }[place]

    with pytest.raises(RefusedError) as refused:
        mail_bytes(_cut(**changes))

    assert refused.value.code == "mailbox"
    assert address == "" or address not in refused.value.message + refused.value.hint


@given(reference=st.text(max_size=80), provider=st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_no_text_from_elsewhere_adds_a_header_or_a_line(reference, provider):
    plain = message_from_bytes(mail_bytes(_cut()), policy=default)
    item = replace(ITEM, provider=f"x{provider}")

    message = message_from_bytes(mail_bytes(_cut(items=(item,), case_reference=reference)), policy=default)

    assert message.keys() == plain.keys()
    assert message.get_body().get_content().count("\n") == plain.get_body().get_content().count("\n")


@given(URLS)
@settings(max_examples=80, deadline=None)
def test_any_printable_address_survives_the_mail(url):
    message = message_from_bytes(mail_bytes(_cut(items=(replace(ITEM, url=url),))), policy=default)
    table = next(part for part in message.iter_attachments() if part.get_content_type() == "text/csv")

    assert f"    {url}" in message.get_body().get_content().split("\r\n")
    assert unguarded(_csv_rows(table.get_payload(decode=True))[0]["url"]) == url


@given(URLS)
@settings(deadline=None)
def test_any_printable_address_survives_the_table(url):
    assert unguarded(_csv_rows(table_bytes(_cut(items=(replace(ITEM, url=url),))))[0]["url"]) == url


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_cell_that_a_spreadsheet_might_run_gets_an_apostrophe(start):
    assert guarded(f"{start}1+1") == f"'{start}1+1"


def test_no_cell_of_the_table_begins_like_a_formula():
    hostile = dict.fromkeys(("provider", "as_name", "network_name", "legal_reference"), "=cmd|' /C calc'!A0")

    row = _csv_rows(table_bytes(_cut(items=(replace(ITEM, **hostile),))))[0]

    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    assert row["provider"] == "'=cmd|' /C calc'!A0"


@given(st.text())
def test_guarding_a_cell_can_be_undone(cell):
    assert unguarded(guarded(cell)) == cell


def test_the_subject_holds_the_case_and_the_label_only():
    message = compose_mail(_cut())[0]

    assert message["Subject"] == "[2026-00017] TLP:AMBER+STRICT"
    assert message["Message-ID"] == f"<{NOTICE.uuid}@hotline.example>" == message_id(_cut().heading)
    assert message["Reply-To"] == "desk@hotline.example"


def test_file_names_tell_nothing():
    names = [part.get_filename() for part in compose_mail(_cut())[0].iter_attachments()]

    assert names == ["notice-7.csv", "notice-7-xarf-1.json"]


def test_a_second_rendering_has_the_same_bytes():
    assert mail_bytes(_cut()) == mail_bytes(_cut())


def test_a_copy_for_another_audience_is_not_taken_for_the_notice():
    copy = compose_mail(_cut(Audience.POLICE))[0]

    assert copy["Message-ID"] != compose_mail(_cut())[0]["Message-ID"]
    assert copy["To"] is None


def test_the_mail_goes_out_although_an_item_is_unfit_for_xarf():
    message, refused = compose_mail(_cut(items=(ITEM, replace(ITEM, item_id="i-2", classification="84a"))))

    assert [(one.item_id, one.code) for one in refused] == [("i-2", "classification")]
    assert len(list(message.iter_attachments())) == 2


@pytest.mark.parametrize("count", [0, 51])
def test_a_mail_holds_one_to_fifty_items(count):
    with pytest.raises(RefusedError) as refused:
        mail_bytes(_cut(items=[ITEM] * count))

    assert refused.value.code == "items"


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("eu-dsa", "Article 16 of Regulation (EU) 2022/2065"),
        ("uk", "Online Safety Act 2023"),
        ("us", "18 U.S.C. 2258A"),
    ],
)
def test_each_profile_cites_its_own_law(profile, words):
    body = letter_text(_cut(notice={"profile": profile}))

    assert words in body
    assert words not in letter_text(_cut(notice={"profile": "generic"}))


@pytest.mark.parametrize("profile", ["eu-dsa", "uk", "us", "generic"])
@pytest.mark.parametrize("role", ["host", "proxy", "platform", "network", "registrar"])
@pytest.mark.parametrize("audience", sorted(set(Audience) - {Audience.PUBLIC}))
def test_each_letter_says_what_every_letter_must(profile, role, audience):
    body = letter_text(_cut(audience, notice={"profile": profile, "role": role}))

    assert "good-faith belief" in body
    assert "Bakery Act" in body
    assert "desk@hotline.example" in body
    assert "Do not open the pages" in body
    assert "legal code: A1" in body
    assert NOTICE.ledger_root in body
    assert "None" not in body
    assert "\n\n\n" not in body


def test_a_proxy_is_asked_to_forward_and_a_registrar_to_act():
    assert "forward this notice" in letter_text(_cut(notice={"role": "proxy"}))
    assert "You are the registrar" in letter_text(_cut(notice={"role": "registrar"}))
    assert "remove the content at its source" in letter_text(_cut(notice={"role": "network"}))


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (CountryLevel.AGREED, "hosting country: NL (sources agree)"),
        (CountryLevel.MAJORITY, "hosting country: NL (most sources agree)"),
        (CountryLevel.SINGLE, "hosting country: not established (one source only)"),
        (CountryLevel.DISPUTED, "hosting country: not established (sources disagree)"),
        (CountryLevel.UNKNOWN, "hosting country: not established\n"),
    ],
)
def test_the_country_is_told_as_far_as_it_is_known(level, words):
    assert words in letter_text(_cut(items=(replace(ITEM, country_level=level),)))


def test_the_letter_says_who_preserves_or_nobody():
    assert "preserved by: Canary Archive" in letter_text(_cut())
    assert "preserved by: nobody" in letter_text(_cut(preserved_by=None))


def test_facts_that_are_not_known_are_left_out():
    bare = replace(
        ITEM, ip=None, port=None, asn=None, as_name=None, network_name=None, network_range=None,
        network_handle=None, provider=None, resolved_at=None, sha256=None, size_bytes=None,
        classification=None, legal_reference=None, country=None, country_level=CountryLevel.UNKNOWN,
    )  # fmt: skip

    body = letter_text(_cut(items=(bare,), notice={"ledger_root": None, "ledger_size": None}))

    assert "None" not in body
    assert "legal code: not given" in body
    assert "no root of our log" in body


def test_the_address_is_never_defanged_for_a_host():
    body = _body(mail_bytes(_cut()))

    assert ITEM.url in body
    assert "hxxp" not in body
    assert "[.]" not in body


def test_every_line_of_the_wording_fits_a_mail():
    """Facts stand on lines of their own, which are indented; no wording is longer than a mail's line."""
    wording = [line for line in letter_text(_cut()).split("\n") if not line.startswith(("    ", "Case "))]

    assert max(map(len, wording)) <= 78


@pytest.mark.parametrize("wanted", ["en", "en-GB", "EN_us", "xx", "../en", ""])
def test_a_language_that_is_not_written_falls_back_to_english(wanted):
    assert written_language(wanted) == "en"


def test_the_template_makes_no_link_to_elsewhere():
    assert all("http" not in path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.txt"))


def test_a_number_that_would_add_a_header_is_refused():
    with pytest.raises(RefusedError) as refused:
        mail_bytes(_cut(notice={"uuid": "7\r\nBcc: all@flour.example"}))

    assert refused.value.code == "header"


@pytest.mark.parametrize("audience", [Audience.PUBLIC])
def test_there_is_no_letter_to_the_public(audience):
    with pytest.raises(RefusedError) as refused:
        letter_text(_cut(audience))

    assert refused.value.code == "audience"


@pytest.mark.parametrize(
    "template",
    [
        "{{ heading.no_such_fact }}",
        "{{ no_such_name }}",
        "{% if %}",
        "{{ heading.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{% include 'other.txt' %}",
    ],
)
def test_a_template_that_is_broken_or_reaches_too_far_is_a_settings_error(template, tmp_path):
    (tmp_path / "en.txt").write_text(template, encoding="utf-8")

    with pytest.raises(ConfigError):
        letter_text(_cut(), tmp_path)


def test_another_language_is_used_where_it_is_written(tmp_path):
    (tmp_path / "en.txt").write_text("bread", encoding="utf-8")
    (tmp_path / "de.txt").write_text("Brot", encoding="utf-8")

    assert letter_text(_cut(notice={"language": "de-AT"}), tmp_path) == "Brot"
    assert letter_text(_cut(notice={"language": "fr"}), tmp_path) == "bread"


def test_an_address_is_never_read_as_a_template():
    url = "http://bread.example/{{7*7}}{%raw%}"

    assert f"    {url}\n" in letter_text(_cut(items=(replace(ITEM, url=url),)))
