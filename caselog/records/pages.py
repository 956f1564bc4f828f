"""What the crawl saw: the operator's rules, pages, evidence, and later checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caselog.fields import listing, octets, sealed, text
from caselog.records.choices import Level, Outcome, Presence, Role, Signal
from caselog.records.ids import CheckId, EvidenceId, LeadId, PageId, RuleId, SiteId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One term of the operator under our own number; a later version replaces an earlier one whole."""

    id: RuleId = RuleId(0)
    version: int
    """Which import of the terms it belongs to; each import is a whole new version."""
    number: int
    """Our own number for the term; it stands in evidence in place of the word."""
    external_id: str = sealed(120)
    """The number that the term has in the operator's file."""
    term: str = sealed(500)
    """The term."""
    weight: float
    """What its presence adds to a document's score."""
    kind: str = text(8)
    """`word` or `phrase`."""
    added_by: str = text(64)
    """Who imported it."""
    added_at: datetime
    """When it was imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One fetch of one address."""

    id: PageId = PageId(0)
    lead_id: LeadId
    """The lead that it was fetched for."""
    site_id: SiteId
    """The site that it is on."""
    parent_id: PageId | None = None
    """The page whose link led here; None on the lead's own address."""
    round: int = 1
    """Which visit of this address it is; a re-crawl is a new round."""
    url: str = sealed(tagged="url")
    """The address that was asked for."""
    final_url: str | None = sealed(tagged="url", default=None)
    """The address that answered, where redirects led to another."""
    redirects: tuple[dict[str, Any], ...] = sealed(8000, default=())
    """Each `{"status", "location"}` in order."""
    status: int | None = None
    """The status of the last answer; None when there was none."""
    outcome: Outcome
    """What became of the fetch."""
    refused: str | None = text(40, default=None)
    """Why the transport or the scope refused it, as a stable word."""
    error: str | None = text(40, default=None)
    """How the fetch failed, as a stable word."""
    role: Role = Role.OTHER
    """What kind of page it is on its site."""
    media_type: str | None = text(80, default=None)
    """The type that the answer declared."""
    charset: str | None = text(40, default=None)
    """The character encoding that it was decoded in."""
    content_encoding: str | None = text(40, default=None)
    """The compression that the answer declared."""
    size_bytes: int | None = None
    """Length of the body after content-decoding."""
    encoded_size_bytes: int | None = None
    """Length of the body as received, after transfer-decoding."""
    depth: int = 0
    """How many links it is away from the lead's address."""
    via: str = text(8, default="direct")
    """`direct` or `tor`."""
    vantage: str = text(32, default="own")
    """From where it was fetched: `own`, or the second vantage."""
    dns_answers: tuple[dict[str, Any], ...] = sealed(8000, default=())
    """Each `{"name", "type", "value"}` that the resolver gave for this fetch."""
    peer_ip: str | None = text(45, default=None)
    """The address that the connection was made to; None behind Tor."""
    peer_port: int | None = None
    """The port that the connection was made to."""
    tls_sha256: str | None = text(64, default=None)
    """Digest of the server's certificate, in hex."""
    tls_version: str | None = text(16, default=None)
    """The version of TLS that was spoken."""
    tls_valid: bool | None = None
    """Whether the certificate held: chain, name and time; None without TLS."""
    tls_problem: str | None = text(40, default=None)
    """Why it did not hold, as a stable word."""
    robots: str | None = text(16, default=None)
    """What the site's robots.txt says of the address: `allowed` or `disallowed`; None before it was read."""
    request_headers_sha256: str | None = text(64, default=None)
    """Digest of the request's header lines as sent, in hex."""
    response_headers_sha256: str | None = text(64, default=None)
    """Digest of the answer's header lines as received, in hex."""
    connections: int | None = None
    """How many connections the fetch took."""
    block_print: bytes | None = octets(64, default=None, repr=False)
    """Keyed identity of the page's blocks: the 8 smallest of their tags, 8 bytes each."""
    started_at: datetime
    """When the fetch began."""
    fetched_at: datetime
    """When the answer was complete or the fetch had failed."""
    clock_offset_ms: int | None = None
    """The server's own Date minus our clock."""
    tool_version: str = text(32)
    """The version of this program."""
    config_sha256: str = text(64)
    """Digest of the settings that were in force, in hex."""
    terms_version: int
    """The version of the rules that the text was held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The hashes of one document that matched; see `docs/explanation/evidence.md` for the layers."""

    id: EvidenceId = EvidenceId(0)
    lead_id: LeadId
    """The lead that it was found for."""
    site_id: SiteId
    """The site that it is on."""
    page_id: PageId
    """The page that holds it; the first of several."""
    page_ids: tuple[int, ...] = listing(4000)
    """Every page of a document that runs over several, the first included."""
    parts: int = 1
    """How many pages the document runs over."""
    body_sha256: str | None = text(64, default=None)
    """Layer A, of the decoded body; None where only a salted commitment is kept."""
    encoded_sha256: str | None = text(64, default=None)
    """Layer A, of the body as received before content-decoding."""
    commitment: str | None = text(64, default=None)
    """SHA-256 of salt and body, for plain text short enough to be guessed; the salt lies with the keys."""
    size_bytes: int
    """Length of the decoded body."""
    block_tags: bytes = octets(16 * 512, repr=False)
    """Layer B: HMAC-SHA-256 of each evidential block, 16 bytes each."""
    frame_blocks: int = 0
    """How many blocks were left out because they stand on the site's other pages."""
    sketch: bytes = octets(5 * 64, repr=False)
    """Layer C: bottom-k keyed shingle hashes, 5 bytes each, ascending."""
    shingles: int = 0
    """How many different shingles the text has in all."""
    shingle_letters: int = 12
    """Length of a shingle: fewer letters in scripts without spaces."""
    fingerprint_version: int
    """The version of the way fingerprints are taken."""
    norm_version: int
    """The version of the way text is normalised first."""
    unicode_version: str = text(16)
    """The version of the Unicode tables in use."""
    key_epoch: int
    """The epoch of the key that tags and sketch were made with; other epochs do not compare."""
    stoplist_version: int
    """The version of the list of stock phrases, whose shingles are left out."""
    rules: tuple[int, ...] = listing(4000, default=())
    """The workspace's own rule numbers, never words."""
    score: float = 0.0
    """Sum of the weights of the rules that matched."""
    threshold: float = 0.0
    """The score from which a document was evidence at that time."""
    terms_version: int
    """The version of the rules that matched."""
    matches: tuple[dict[str, Any], ...] = listing(8000, default=())
    """Each `{"evidence_id", "m", "k", "level", "blocks_shared"}`."""
    level: Level
    """What it became evidence by."""
    recorded_at: datetime
    """When it was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One later look at an evidence item, and the state that follows from it."""

    id: CheckId = CheckId(0)
    evidence_id: EvidenceId
    """The item that was looked at."""
    lead_id: LeadId
    """The lead of that item."""
    signal: Signal
    """What this look saw."""
    state: Presence
    """What follows from this look and those before."""
    moved: bool = False
    """The text stands at another host or another network than when it was recorded."""
    containment: float | None = None
    """Share of the stored sketch that the page in hand holds."""
    blocks_shared: int | None = None
    """How many of the item's blocks the page in hand holds."""
    rules_score: float | None = None
    """Score of the item's own rules on the page in hand."""
    http_status: int | None = None
    """The status of the last answer; None when there was none."""
    error: str | None = text(40, default=None)
    """How the look failed, as a stable word."""
    final_url: str | None = sealed(tagged="url", default=None)
    """The address that answered, where redirects led to another."""
    peer_ip: str | None = text(45, default=None)
    """The address that the connection was made to."""
    vantage: str = text(32)
    """Which views were taken: `own`, or `own+second`."""
    requests: int = 0
    """How many requests the look took, those for comparison included."""
    body_sha256: str | None = text(64, default=None)
    """Digest of the decoded body that was seen, in hex."""
    last_present: datetime | None = None
    """When the text was last seen, up to this look."""
    first_absent: datetime | None = None
    """When it was first found absent in the present absence."""
    confirmed_at: datetime | None = None
    """When the removal became REMOVED_CONFIRMED."""
    due_at: datetime | None = None
    """When to look again; None is never."""
    checked_at: datetime
    """When the look was made."""
