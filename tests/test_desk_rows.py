"""The rows that commands print have the keys that the reference promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from caselog.records.choices import Level, Outcome, Presence, Role, Signal
from caselog.records.hosting import Hosting
from caselog.records.leads import Lead, Proposal, Report
from caselog.records.notices import Notice, Release
from caselog.records.pages import Check, Evidence, Page, Rule
from crawler.reading.defanged import defang
from desk import rows
from tests.caselog_samples import filled

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "http://bread.example/rye"
PROMISED = {
    "page": "id lead_id site_id url final_url status outcome refused role media_type size_bytes depth via "
    "peer_ip tls_sha256 fetched_at redirects dns_answers request_headers_sha256 tls_valid clock_offset_ms "
    "tool_version config_sha256 terms_version",
    "evidence": "id page_id page_ids parts url body_sha256 commitment size_bytes blocks sketch_size "
    "norm_version score rules matches level recorded_at leaf_index",
    "lead": "id url state origin report added_at added_by host",
    "hosting": "id host addresses cname ns proxied proxy platform network_name network_range holder "
    "asn as_name country country_level country_sources registration_country holder_country "
    "as_country geofeed_country national_route contacts rejected_contacts registrar registrar_contact "
    "resolved_at",
    "notice": "id case recipient role reason state items language created_at released_by delivered_at",
    "check": "id evidence_id url signal state first_absent last_present checked_at vantage http_status moved",
    "proposal": "id url host score reasons found_on state",
}


def with_(kind: type[Any], **fields: Any) -> Any:
    from dataclasses import replace

    return replace(filled(kind), **fields)


def contact(address: str) -> tuple[dict[str, Any], ...]:
    return ({"address": address, "role": "abuse", "source": "rdap", "rank": 1, "why": "w", "guessed": False},)


def made(show: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    lead = with_(Lead, url=URL, host="bread.example")
    page = with_(
        Page,
        url=URL,
        final_url=URL,
        outcome=Outcome.TEXT,
        role=Role.ENTRY,
        redirects=({"status": 301, "location": URL},),
        dns_answers=({"name": "bread.example", "type": "CNAME", "value": "rye.example"},),
    )
    evidence = with_(
        Evidence, page_ids=(), block_tags=b"\1" * 32, sketch=b"\2" * 10, level=Level.RULE, matches=()
    )
    hosting = with_(
        Hosting,
        host="bread.example",
        cname=("rye.example",),
        ns=("ns.example",),
        country_sources=(),
        contacts=contact("abuse@host.example"),
        rejected_contacts=contact("admin@bread.example"),
    )
    notice = with_(Notice, evidence_ids=(1, 2))
    check = with_(Check, final_url=URL, signal=Signal.GONE_PAGE, state=Presence.LIVE)
    return {
        "page": rows.page_row(page, show=show),
        "evidence": rows.evidence_row(
            evidence, url=URL, state="new", classification=None, leaf_index=4, show=show
        ),
        "lead": rows.lead_row(lead, state="new", reports=[filled(Report)], classification=None, show=show),
        "hosting": rows.hosting_row(hosting, show=show),
        "notice": rows.notice_row(
            notice, state="draft", case="1", release=filled(Release), delivered_at=None
        ),
        "check": rows.check_row(check, url=URL, show=show),
        "proposal": rows.proposal_row(lead, [with_(Proposal, score=0.5)], state="new", show=show),
    }


@pytest.mark.parametrize("kind", PROMISED)
def test_no_promised_key_is_missing(kind: str) -> None:
    assert set(PROMISED[kind].split()) - set(made(str)[kind]) == set()


@pytest.mark.parametrize("kind", [kind for kind in PROMISED if kind != "notice"])
def test_no_row_holds_an_address_in_clear_unless_revealed(kind: str) -> None:
    text = str(made(defang)[kind])

    assert "bread.example" not in text
    assert "rye.example" not in text


def test_a_revealed_row_holds_the_address() -> None:
    assert made(str)["page"]["url"] == URL


def test_counts_of_blocks_and_sketch_come_from_their_bytes() -> None:
    row = made(str)["evidence"]

    assert (row["blocks"], row["sketch_size"]) == (2, 2)


def test_a_document_of_one_page_names_it() -> None:
    row = made(str)["evidence"]

    assert row["page_ids"] == [row["page_id"]]


def test_a_lead_without_report_has_none() -> None:
    row = rows.lead_row(filled(Lead), state="new", reports=[], classification=None, show=str)

    assert (row["report"], row["source"], row["category"], row["classification"]) == (None, None, None, None)


def test_a_decided_code_stands_before_a_reported_one() -> None:
    row = rows.lead_row(filled(Lead), state="new", reports=[filled(Report)], classification="A2", show=str)

    assert row["classification"] == "A2"


def test_a_proposal_shows_its_best_finding_and_all_reasons() -> None:
    found = [
        with_(Proposal, score=0.2, found_on=1, reasons=("a",)),
        with_(Proposal, score=0.9, found_on=2, reasons=("b", "a")),
    ]
    row = rows.proposal_row(filled(Lead), found, state="new", show=str)

    assert (row["score"], row["found_on"], row["reasons"], row["found"]) == (0.9, 2, ["a", "b"], 2)


def test_a_notice_nobody_released_names_nobody() -> None:
    row = rows.notice_row(filled(Notice), state="draft", case=None, release=None, delivered_at=None)

    assert row["released_by"] is None


def test_a_rule_keeps_its_words_unless_revealed() -> None:
    rule = with_(Rule, external_id="t1", term="rye")

    assert (rows.rule_row(rule, reveal=False)["id"], rows.rule_row(rule, reveal=False)["term"]) == (
        None,
        None,
    )
    assert (rows.rule_row(rule, reveal=True)["id"], rows.rule_row(rule, reveal=True)["term"]) == ("t1", "rye")
