"""A made-up notice about bread, for the tests of the exports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from caselog.records.choices import CountryLevel
from caselog.records.ids import EvidenceId, NoticeId
from caselog.records.notices import Notice
from exports.items import Authority, NoticeItem, Posting

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ITEM = NoticeItem(
    evidence_id=EvidenceId(31),
    item_id="i-canary01",
    url="http://canary-host.example/sourdough/canary-path?loaf=1",
    host="canary-host.example",
    ip="203.0.113.77",
    port=8443,
    first_confirmed_at=datetime(2026, 11, 1, 7, 7, 7, tzinfo=UTC),
    last_present_at=datetime(2026, 11, 2, 8, 8, 8, tzinfo=UTC),
    redirects=1,
    sha256="a1" * 32,
    keyed_sha256="b2" * 32,
    size_bytes=987654,
    classification="A1",
    legal_reference="Art. 7 canary",
    provider="Canary Ovens",
    asn=64511,
    as_name="CANARY-AS",
    network_name="CANARY-NET",
    network_range="203.0.113.64/26",
    network_handle="CANARY-HANDLE",
    resolved_at=NOON,
    country="NL",
    country_level=CountryLevel.AGREED,
)
SHORT_ITEM = replace(ITEM, commitment="c3" * 32)
NOTICE = Notice(
    id=NoticeId(7),
    uuid=str(UUID(int=7, version=5)),
    hosting_ids=(1,),
    evidence_ids=(31,),
    recipient="canary-abuse@ovens.example",
    role="host",
    reason="canary-reason",
    contact_source="rdap",
    language="en",
    profile="eu-dsa",
    tlp="AMBER+STRICT",
    ledger_root="d4" * 32,
    ledger_size=12,
    practice=False,
    drafted_by="canary-analyst",
    created_at=NOON,
)
AUTHORITY = Authority(
    organisation="Bread Hotline",
    country="DE",
    contact="desk@hotline.example",
    legal_basis="Bakery Act",
)
POSTING = Posting(
    notice=NOTICE,
    authority=AUTHORITY,
    case_reference="2026-00017",
    sender="notices@hotline.example",
    dated_at=NOON,
    preserved_by="Canary Archive",
)
