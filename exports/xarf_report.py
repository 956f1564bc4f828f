"""One XARF v4 report (Extended Abuse Reporting Format, 4.2.0) for each address of a notice.

The report is built here, not by the library's own maker: that one hands out a new number at each rendering
and returns reports that do not hold. The library's schemas judge the result, then our own list of fields.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from xarf import SPEC_VERSION, schema_validator

from caselog.errors import RefusedError
from exports.addresses import is_ip_literal, mail_domain
from exports.redact import Datum, may_know
from exports.wording import PRACTICE_MARK, established_country, stamp

if TYPE_CHECKING:
    from exports.redact import Cut, Heading, Shown

# The format's own names for this product's kind of page (content-csam.json of the specification); they are
# fixed by the format and describe nothing.
CATEGORY = "content"
TYPE = "csam"
MEDIA_TYPE = "text"
CLASSIFICATIONS = frozenset({"baseline", "A1", "A2", "B1", "B2"})
"""The only legal codes that the format knows."""
REQUIRED = frozenset(
    {
        "xarf_version",
        "report_id",
        "timestamp",
        "reporter",
        "sender",
        "source_identifier",
        "category",
        "type",
        "url",
        "classification",
        "detection_method",
        "media_type",
        "verified_at",
        "verification_method",
        "tags",
    }
)
OPTIONAL = frozenset(
    {"source_port", "domain", "hosting_provider", "asn", "country_code", "hash_values", "description"}
)
_DOMAIN = re.compile(r"([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}\Z")
"""As in content-base.json: a label of an international name (`xn--`) does not fit, so it is left out."""
_TAG_UNFIT = re.compile(r"[^a-z0-9_+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class XarfRefusal:
    """An item that goes without a XARF part, while the mail carries it all the same."""

    item_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class XarfBatch:
    """The reports of a notice, and the items that the format could not take."""

    reports: tuple[tuple[str, dict[str, Any]], ...]
    """Each with its item id, in the notice's order."""
    refused: tuple[XarfRefusal, ...]


def xarf_batch(cut: Cut) -> XarfBatch:
    """Return a valid report for each item that can have one, and the reason for each other.

    Raises:
        RefusedError: The audience may not know addresses (`audience`), so there is nothing to report.
    """
    reports: list[tuple[str, dict[str, Any]]] = []
    refused: list[XarfRefusal] = []
    _refuse_audience(cut)
    for item in cut.items:
        try:
            reports.append((item.item_id, xarf_report(cut, item)))
        except RefusedError as error:
            refused.append(XarfRefusal(item_id=item.item_id, code=error.code, message=error.message))
    return XarfBatch(reports=tuple(reports), refused=tuple(refused))


def xarf_report(cut: Cut, item: Shown) -> dict[str, Any]:
    """Return the report on one item; a second rendering is the same to the byte.

    Raises:
        RefusedError: The audience may not know addresses (`audience`); the format has no such legal code
            (`classification`); no address of a machine is known (`source`); or the report does not hold
            (`xarf_invalid`).
    """
    _refuse_audience(cut)
    if item.classification not in CLASSIFICATIONS:
        raise RefusedError(
            f"Item {item.item_id} has a legal code that XARF does not know.",
            "Send it by mail, or classify it as one of: " + ", ".join(sorted(CLASSIFICATIONS)) + ".",
            code="classification",
        )
    report = _required(cut.heading, item) | _optional(cut.heading, item)
    refuse_invalid(report)
    return report


def xarf_bytes(report: dict[str, Any]) -> bytes:
    """Return a report as JSON, in UTF-8."""
    return json.dumps(report, ensure_ascii=False, indent=2).encode() + b"\n"


def refuse_invalid(report: dict[str, Any]) -> None:
    """Refuse a report that fails the format's schemas or our own list of fields.

    The library's errors quote values, so only the fields' names are told. Its format checks (address, time)
    work only beside rfc3986-validator and rfc3339-validator, which a test proves.

    Raises:
        RefusedError: With the names of the wrong fields (`xarf_invalid`).
    """
    wrong = {error.field or "report" for error in schema_validator.validate(report)}
    wrong |= (REQUIRED - set(report)) | (set(report) - REQUIRED - OPTIONAL)
    if not _is_plain_web_address(str(report.get("url", ""))):
        wrong.add("url")
    if wrong:
        raise RefusedError(
            "The XARF report does not hold: " + ", ".join(sorted(wrong)) + ".",
            "Mend the record, or send the notice as mail only.",
            code="xarf_invalid",
        )


def _refuse_audience(cut: Cut) -> None:
    if not may_know(cut.audience, Datum.URL):
        raise RefusedError(
            f"XARF carries addresses, which the audience {cut.audience} may not know.",
            "Choose another format for this audience.",
            code="audience",
        )


def _required(heading: Heading, item: Shown) -> dict[str, Any]:
    seen_at = stamp(item.last_present_at) if item.last_present_at else ""
    writer = _writer(heading)
    return {
        "xarf_version": SPEC_VERSION,
        "report_id": str(uuid.uuid5(uuid.UUID(heading.uuid), f"xarf:{item.item_id}")),
        "timestamp": seen_at,
        "reporter": writer,
        "sender": writer,
        "source_identifier": _source(item),
        "category": CATEGORY,
        "type": TYPE,
        "url": item.url,
        "classification": item.classification,
        "detection_method": "manual_review",
        "media_type": MEDIA_TYPE,
        "verified_at": seen_at,
        "verification_method": "manual",
        "tags": _tags(heading),
    }


def _writer(heading: Heading) -> dict[str, str]:
    contact = heading.authority.contact
    return {"org": heading.authority.organisation[:200], "contact": contact, "domain": mail_domain(contact)}


def _optional(heading: Heading, item: Shown) -> dict[str, Any]:
    found = {
        "source_port": item.port,
        "domain": item.host if item.host and _DOMAIN.match(item.host) else None,
        "hosting_provider": item.provider,
        "asn": item.asn,
        "country_code": established_country(item.country, item.country_level),
        "hash_values": {"sha256": item.sha256} if item.sha256 else None,
        "description": PRACTICE_MARK if heading.practice else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _source(item: Shown) -> str:
    """Return the IP address of the machine; behind a CDN it is the CDN's, so the host's name stands there."""
    if item.proxied and item.host:
        return item.host
    if item.ip and is_ip_literal(item.ip):
        return item.ip
    raise RefusedError(
        f"No IP address is known for item {item.item_id}.", "Enrich its host again.", code="source"
    )


def _tags(heading: Heading) -> list[str]:
    case = _TAG_UNFIT.sub("-", heading.case_reference.lower()).strip("-_+")
    tags = [f"tlp:{heading.tlp.lower()}", f"case:{case}"]
    return [*tags, "practice:not-a-real-notice"] if heading.practice else tags


def _is_plain_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and "[" not in host
