"""Hold what one look at a page brought, and what it is compared with: numbers and hashes, never text."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Dns(StrEnum):
    """What the resolver said."""

    OK = "ok"
    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    SERVFAIL = "servfail"
    TIMEOUT = "timeout"


class Connection(StrEnum):
    """How the connection went; `OTHER` is a failure of ours, or one not understood."""

    OK = "ok"
    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    TLS = "tls"
    LOOP = "loop"
    LOCKED = "locked"
    """An onion service that answers only to keys it gave out: a wall."""
    OTHER = "other"


_FAILURES: Final = MappingProxyType(
    {
        "refused": Connection.REFUSED,
        "unreachable": Connection.REFUSED,
        "reset": Connection.RESET,
        "connect_timeout": Connection.TIMEOUT,
        "read_timeout": Connection.TIMEOUT,
        "deadline": Connection.TIMEOUT,
        "tls": Connection.TLS,
        "loop": Connection.LOOP,
        "onion_not_found": Connection.TIMEOUT,
        "onion_unreachable": Connection.TIMEOUT,
        "onion_timeout": Connection.TIMEOUT,
        "onion_locked": Connection.LOCKED,
    }
)


def failure_of(code: str) -> tuple[Dns, Connection]:
    """Return what a failure code of the transport says of name and connection; unknown codes are OTHER."""
    if code.startswith("dns_"):
        known = {dns.value for dns in Dns}
        name = code.removeprefix("dns_")
        return Dns(name) if name in known else Dns.SERVFAIL, Connection.OTHER
    return Dns.OK, _FAILURES.get(code, Connection.OTHER)


def _no_hashes() -> NDArray[np.uint64]:
    return np.zeros(0, np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What one fetch brought, redirects followed; no text is kept."""

    dns: Dns = Dns.OK
    connection: Connection = Connection.OK
    status: int | None = None
    """Of the last answer."""
    final_url: str = field(default="", repr=False)
    """The address that gave the last answer, in canonical form."""
    redirects: int = 0
    refused: str | None = None
    """The code of admission or scope when the body was not read."""
    is_challenge: bool = False
    """A header says that a robot check stands before the page."""
    has_password_field: bool = False
    is_shell: bool = False
    """Nearly no text, and a script or a refresh that would bring the page."""
    is_empty: bool = False
    sets_cookie: bool = False
    """Some answer on the way set a cookie; we never send one back."""
    shingles: NDArray[np.uint64] = field(default_factory=_no_hashes, repr=False)
    """All different keyed shingle hashes of the page, ascending, under the key of the evidence."""
    block_tags: frozenset[bytes] = field(default=frozenset(), repr=False)
    rules_score: float | None = None
    """What the evidence's own rules score on this page; None when those rules are no longer known."""

    @property
    def is_answered(self) -> bool:
        """Say whether a server answered with something that could be read."""
        return self.dns is Dns.OK and self.connection is Connection.OK and self.refused is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is kept of the evidence, as far as a look is compared with it."""

    url: str = field(repr=False)
    """The address under notice, in canonical form."""
    sketch: tuple[int, ...] = field(default=(), repr=False)
    block_tags: frozenset[bytes] = field(default=frozenset(), repr=False)
    rules: tuple[int, ...] = ()
    threshold: float = 0.0
