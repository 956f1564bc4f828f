"""Records about a bread forum, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caselog.records.choices import Level, Origin, Outcome
from caselog.records.leads import Lead
from caselog.records.pages import Evidence, Page
from caselog.store.sites import site_for

if TYPE_CHECKING:
    from caselog.store.log import Writer

NOW = datetime(2026, 11, 23, 10, 0, 0, 5, tzinfo=UTC)
HOST = "bread.example"
URL = "https://bread.example/sourdough"


def a_lead(writer: Writer, url: str = URL, host: str = HOST) -> Lead:
    site_id = site_for(writer, host)
    return writer.append(
        Lead(url=url, host=host, site_id=site_id, origin=Origin.REPORTED, added_by="anna", added_at=NOW)
    )


def page(lead: Lead, **fields: Any) -> Page:
    plain: dict[str, Any] = {
        "lead_id": lead.id,
        "site_id": lead.site_id,
        "url": lead.url,
        "dns_answers": ({"name": HOST, "type": "A", "value": "192.0.2.1"},),
        "status": 200,
        "outcome": Outcome.TEXT,
        "tls_valid": True,
        "block_print": b"\x00\xff" * 8,
        "started_at": NOW,
        "fetched_at": NOW,
        "tool_version": "0.1.0",
        "config_sha256": "d" * 64,
        "terms_version": 1,
    }
    return Page(**{**plain, **fields})


def evidence(of: Page, **fields: Any) -> Evidence:
    plain: dict[str, Any] = {
        "lead_id": of.lead_id,
        "site_id": of.site_id,
        "page_id": of.id,
        "page_ids": (of.id,),
        "body_sha256": "e" * 64,
        "size_bytes": 2048,
        "block_tags": b"\x01" * 32,
        "sketch": b"\x02" * 10,
        "fingerprint_version": 1,
        "norm_version": 1,
        "unicode_version": "15.0.0",
        "key_epoch": 1,
        "stoplist_version": 1,
        "score": 1.5,
        "terms_version": 1,
        "level": Level.RULE,
        "recorded_at": NOW,
    }
    return Evidence(**{**plain, **fields})


def filled(kind: type[Any]) -> Any:
    """Return a record of any kind with each field at its limit, and every reference 1."""
    from caselog.plans import PLANS, Form

    values: dict[str, Any] = {}
    for plan in PLANS[kind].fields:
        values[plan.name] = {
            Form.REFERENCE: lambda: 1,
            Form.INTEGER: lambda: 2**63 - 1,
            Form.REAL: lambda: 0.1,
            Form.FLAG: lambda: True,
            Form.TEXT: lambda p=plan: "ж" * p.limit,
            Form.CHOICE: lambda p=plan: next(iter(p.choice)),
            Form.LISTING: lambda p=plan: ("b" * (p.limit - 4),),
            Form.OCTETS: lambda p=plan: b"\xff" * p.limit,
            Form.MOMENT: lambda: NOW,
        }[plan.form]()
    return kind(**values)
