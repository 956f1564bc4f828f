"""XARF: valid by the format's own schemas, and by our own list of fields."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xarf import schema_validator

from caselog.errors import RefusedError
from caselog.records.choices import CountryLevel
from exports.redact import Audience, redact
from exports.xarf_report import OPTIONAL, REQUIRED, refuse_invalid, xarf_batch, xarf_bytes, xarf_report
from tests.exports_samples import AUTHORITY, ITEM, NOTICE, POSTING, SHORT_ITEM


def _report(audience=Audience.HOST, posting=POSTING, **changes):
    cut = redact([replace(ITEM, **changes)], audience, posting)
    return xarf_report(cut, cut.items[0])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "not a url"),
        ("url", "hxxps://bread[.]example/loaf"),
        ("url", "hxxps://bread.example/loaf"),
        ("url", "https://bread[.]example/loaf"),
        ("url", "ftp://bread.example/loaf"),
        ("url", ""),
        ("timestamp", "yesterday"),
        ("verified_at", "2026-11-23"),
        ("report_id", "7"),
        ("country_code", "nl"),
        ("classification", "84a"),
        ("asn", 0),
        ("domain", "xn--brt-tla.example"),
        ("evidence", [{"content_type": "text/plain", "payload": ""}]),
        ("_internal", {"analyst": "x"}),
        ("description_of_ours", "x"),
        ("tags", ["TLP:AMBER"]),
        ("hash_values", {"sha256": "zz"}),
    ],
)
def test_a_report_that_does_not_hold_is_refused_by_its_fields_name(field, value):
    with pytest.raises(RefusedError) as refused:
        refuse_invalid(_report() | {field: value})

    assert refused.value.code == "xarf_invalid"
    assert field in refused.value.message
    assert "bread" not in refused.value.message


@pytest.mark.parametrize("field", sorted(REQUIRED))
def test_a_report_without_a_required_field_is_refused(field):
    report = _report()
    del report[field]

    with pytest.raises(RefusedError):
        refuse_invalid(report)


@pytest.mark.parametrize(
    ("field", "value"),
    [("url", "not a url"), ("url", "hxxps://bread[.]example/"), ("timestamp", "yesterday")],
)
def test_the_librarys_own_format_checks_are_active(field, value):
    """They work only beside rfc3339-validator and rfc3986-validator, and say nothing otherwise."""
    assert schema_validator.validate(_report()) == []
    assert {error.field for error in schema_validator.validate(_report() | {field: value})} == {field}


def test_the_report_says():
    report = _report()

    assert report == {
        "xarf_version": "4.2.0",
        "report_id": report["report_id"],
        "timestamp": "2026-11-02T08:08:08Z",
        "reporter": {"org": "Bread Hotline", "contact": "desk@hotline.example", "domain": "hotline.example"},
        "sender": {"org": "Bread Hotline", "contact": "desk@hotline.example", "domain": "hotline.example"},
        "source_identifier": "203.0.113.77",
        "source_port": 8443,
        "category": "content",
        "type": "csam",
        "media_type": "text",
        "url": ITEM.url,
        "domain": "canary-host.example",
        "classification": "A1",
        "detection_method": "manual_review",
        "verified_at": "2026-11-02T08:08:08Z",
        "verification_method": "manual",
        "hosting_provider": "Canary Ovens",
        "asn": 64511,
        "country_code": "NL",
        "hash_values": {"sha256": ITEM.sha256},
        "tags": ["tlp:amber+strict", "case:2026-00017"],
    }


def test_a_second_rendering_has_the_same_number():
    assert xarf_bytes(_report()) == xarf_bytes(_report())
    assert UUID(_report()["report_id"]).version == 5
    assert _report()["report_id"] != _report(item_id="i-other")["report_id"]


@pytest.mark.parametrize("classification", [None, "", "84a", "a1", "A3"])
def test_a_legal_code_that_xarf_does_not_know_is_refused(classification):
    with pytest.raises(RefusedError) as refused:
        _report(classification=classification)

    assert refused.value.code == "classification"


@pytest.mark.parametrize("classification", ["baseline", "A1", "A2", "B1", "B2"])
def test_the_legal_code_is_the_analysts(classification):
    assert _report(classification=classification)["classification"] == classification


@pytest.mark.parametrize("ip", [None, "", "localhost", "203.0.113.7.9"])
def test_a_source_is_an_ip_address(ip):
    with pytest.raises(RefusedError) as refused:
        _report(ip=ip)

    assert refused.value.code == "source"


def test_behind_a_proxy_the_source_is_the_hosts_name():
    assert _report(proxied=True)["source_identifier"] == "canary-host.example"
    assert _report(ip="2001:db8::7")["source_identifier"] == "2001:db8::7"


@pytest.mark.parametrize("level", [CountryLevel.SINGLE, CountryLevel.DISPUTED, CountryLevel.UNKNOWN])
def test_a_country_that_is_not_established_is_left_out(level):
    assert "country_code" not in _report(country_level=level)


def test_a_short_text_has_no_digest():
    cut = redact([SHORT_ITEM], Audience.HOST, POSTING)

    assert "hash_values" not in xarf_report(cut, cut.items[0])


@pytest.mark.parametrize("host", ["xn--brt-tla.example", "203.0.113.77", "bread.xn--p1ai", "bread"])
def test_a_host_that_the_format_cannot_name_leaves_the_domain_out(host):
    report = _report(host=host, url=f"http://{host}/loaf")

    assert "domain" not in report
    assert report["url"] == f"http://{host}/loaf"


@pytest.mark.parametrize("audience", [Audience.CERT, Audience.PUBLIC])
def test_an_audience_without_addresses_gets_no_xarf(audience):
    cut = redact([ITEM], audience, POSTING)

    with pytest.raises(RefusedError) as one:
        xarf_report(cut, redact([ITEM], Audience.HOST, POSTING).items[0])
    with pytest.raises(RefusedError) as batch:
        xarf_batch(cut)

    assert (one.value.code, batch.value.code) == ("audience", "audience")


def test_a_batch_returns_what_it_could_not_take():
    items = [
        ITEM,
        replace(ITEM, item_id="i-2", url="http://bread.example/b\u00e4ker"),
        replace(ITEM, item_id="i-3", ip=None),
    ]

    batch = xarf_batch(redact(items, Audience.HOST, POSTING))

    assert [item_id for item_id, _ in batch.reports] == ["i-canary01"]
    assert [(one.item_id, one.code) for one in batch.refused] == [("i-2", "xarf_invalid"), ("i-3", "source")]


def test_practice_is_marked_in_words_and_as_a_tag():
    practice = _report(posting=replace(POSTING, notice=replace(NOTICE, practice=True)))

    assert "practice:not-a-real-notice" in practice["tags"]
    assert "NOT A REAL NOTICE" in practice["description"]


@given(
    path=st.text("abc/?=&%2F~-_.", max_size=200), name=st.text(max_size=300), reference=st.text(max_size=80)
)
@settings(max_examples=50, deadline=None)
def test_whatever_is_reported_holds(path, name, reference):
    posting = replace(POSTING, case_reference=reference, authority=replace(AUTHORITY, organisation="B" * 250))
    cut = redact([replace(ITEM, url=f"https://bread.example/{path}", provider=name)], Audience.HOST, posting)

    for _, report in xarf_batch(cut).reports:
        assert schema_validator.validate(json.loads(xarf_bytes(report))) == []
        assert set(report) <= REQUIRED | OPTIONAL
        assert report["url"] == f"https://bread.example/{path}"
