"""What one fetch saw, gave back or died of; nothing here does input or output.

`Fetch` holds the facts that a Page record keeps, `Answer` adds the text, which lives in memory only.
`Refused` and `FetchFailed` carry a short stable code and the facts up to there; no message names an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caselog.errors import RefusedError, SourceError

if TYPE_CHECKING:
    from datetime import datetime

DnsAnswer = dict[str, str | int | None]
"""One resolver answer: `name`, `type`, `value`, `ttl` in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how much one fetch may take; seconds and bytes."""

    connect_s: float = 15.0
    idle_s: float = 15.0
    total_s: float = 30.0
    onion_total_s: float = 120.0
    page_bytes: int = 2 * 1024 * 1024
    """Cap on the body, before and after content-decoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """The facts of one fetch; what was not reached stays None."""

    status: int | None = None
    media_type: str | None = None
    charset: str | None = None
    content_encoding: str | None = None
    size_bytes: int | None = None
    encoded_size_bytes: int | None = None
    body_sha256: str | None = None
    """Digest of the body after content-decoding."""
    encoded_sha256: str | None = None
    """Digest of the body as received, after transfer-decoding and before content-decoding."""
    via: str = "direct"
    """``direct``, ``tor`` or ``proxy``."""
    dns_answers: tuple[DnsAnswer, ...] = ()
    peer_ip: str | None = None
    """Address of the server; None behind a proxy, whose address says nothing."""
    peer_port: int | None = None
    tls_sha256: str | None = None
    tls_version: str | None = None
    tls_valid: bool | None = None
    """False: the certificate failed and ``tls_problem`` says why; the digest is that of the failed one."""
    tls_problem: str | None = None
    """``expired``, ``not_yet_valid``, ``self_signed``, ``untrusted`` (no trusted authority leads to it),
    ``wrong_name``, ``revoked``, ``weak`` (key, digest, cipher or TLS version below today's least), else
    ``invalid``."""
    request_headers_sha256: str | None = None
    response_headers_sha256: str | None = None
    connections: int = 0
    pace_keys: tuple[str, ...] = ()
    """Under which its turn was taken; for the crawl's planning, never recorded."""
    clock_offset_ms: int | None = None
    started_at: datetime
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A text answer, or a status whose body was not wanted."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """In the order received."""
    body: bytes
    """After content-decoding; empty for redirects and, unless asked for, errors."""
    fetch: Fetch


class Refused(RefusedError):  # noqa: N818  # the name of the outcome
    """A safeguard refused the address or the answer: never retry.

    Codes: ``scheme bad_url method media_type private_address onion_without_tor binary too_large encoding
    attachment``.
    """

    def __init__(self, code: str, fetch: Fetch | None = None) -> None:
        super().__init__(f"the transport refused: {code}", code=code)
        self.fetch = fetch


class FetchFailed(SourceError):  # noqa: N818  # the name of the outcome
    """Nothing usable arrived: the caller may retry later.

    ``tls`` with a ``tls_problem`` in the facts: the certificate failed and the setting says not to read on.

    Codes: ``refused reset unreachable connect_timeout read_timeout deadline tls bad_http truncated
    dns_nxdomain dns_nodata dns_servfail dns_timeout proxy onion_not_found onion_invalid onion_unreachable
    onion_timeout onion_locked told_to_wait``.
    """

    def __init__(self, code: str, fetch: Fetch | None = None) -> None:
        super().__init__(f"the fetch failed: {code}")
        self.code = code
        self.fetch = fetch
