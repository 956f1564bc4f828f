"""Ask a legacy WHOIS server (RFC 3912), and read the abuse mailbox lines of its text.

Asked only where RDAP left no contact. The servers of the five registries come from ipwhois; its own client is
not used, because it sleeps for minutes on a limit and reads without end.
"""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from ipwhois.whois import RIR_WHOIS

from caselog.errors import RefusedError, SourceError
from caselog.guard import may_contact
from enrich.addresses import parse_block
from enrich.fetching import system_addresses
from enrich.interface import Fetched, Registration
from enrich.memory import take_turn
from enrich.names import split_server
from enrich.rdap import mail_address, mails_in, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from enrich.addresses import Address, Span
    from enrich.interface import Limiter, QueryLog

MAX_TEXT_BYTES = 256 * 1024
TOTAL_TIMEOUT_S = 10.0
REGISTRIES = ("arin", "ripencc", "apnic", "lacnic", "afrinic")
# ARIN: full records of networks only. RIPE: no related persons, which count towards its daily limit.
_FLAGS = {"arin": "n + ", "ripencc": "-r "}
_ABUSE_FOR = re.compile(r"^% *Abuse contact for .{1,200} is '([^']{1,254})'", re.IGNORECASE)
_ABUSE_KEY = re.compile(
    r"^\s*(?:OrgAbuseEmail|RAbuseEmail|abuse-mailbox|abuse-email)\s*:\s*(\S.*)$", re.IGNORECASE
)
_ABUSE_LINE = re.compile(r"^\s*(?:remarks?|descr|comment|trouble|e-?mail)\s*:.*$", re.IGNORECASE)
_RANGE_LINE = re.compile(r"^\s*(?:inetnum|inet6num|NetRange|CIDR)\s*:\s*(\S.*)$", re.IGNORECASE)
_REGISTRAR = re.compile(r"^\s*(?:Sponsoring )?Registrar(?: Name)?\s*:\s*(\S.*)$", re.IGNORECASE)
_REGISTRAR_ABUSE = re.compile(r"^\s*Registrar Abuse Contact Email\s*:\s*(\S+)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoisClient:
    """Asks the WHOIS servers of registries and top-level domains.

    Args:
        servers: Registry (`arin`, `ripencc`) or top-level domain (`com`) to `host:port`.
        practice: True in a practice workspace: loopback only, and no server but the named ones.

    """

    servers: Mapping[str, str]
    practice: bool
    limiter: Limiter
    log_query: QueryLog

    def network(self, ip: Address, registry: str | None, now: datetime) -> Fetched | None:
        """Return the registry's text about `ip`; None when no server is known for that registry.

        Raises:
            SourceError: The server failed.
            RefusedError: Its address may not be contacted.

        """
        key = registry or self._only_registry()
        server = self._server(key)
        if key is None or server is None:
            return None
        return self._ask(server, f"{_FLAGS.get(key, '')}{ip}", str(ip), now)

    def domain(self, name: str, now: datetime) -> Fetched | None:
        """Return the text about a domain, from the server of its longest suffix; raises like `network`."""
        labels = name.split(".")
        suffixes = (".".join(labels[at:]) for at in range(1, len(labels)))
        server = next((self.servers[suffix] for suffix in suffixes if suffix in self.servers), None)
        return self._ask(server, name, name, now) if server else None

    def _server(self, key: str | None) -> str | None:
        if key is None:
            return None
        named = self.servers.get(key) or (self.servers.get("ripe") if key == "ripencc" else None)
        if named or self.practice:
            return named
        known = RIR_WHOIS.get(key)
        return f"{known['server']}:43" if known else None

    def _only_registry(self) -> str | None:
        named = [key for key in REGISTRIES if self._is_named(key)]
        return named[0] if len(named) == 1 else None

    def _is_named(self, key: str) -> bool:
        return key in self.servers or (key == "ripencc" and "ripe" in self.servers)

    def _ask(self, server: str, question: str, name: str, now: datetime) -> Fetched:
        if not question.isascii() or not question.isprintable():
            raise SourceError("A name cannot be asked by WHOIS.", "Ask the registry by hand.")
        outcome = "error"
        try:
            take_turn(self.limiter, server, now)
            body = self._exchange(server, question)
            outcome = "answer"
        finally:
            self.log_query(kind="whois", server=server, name=name, outcome=outcome, at=now)
        text = body.decode("utf-8", errors="replace")
        return Fetched(
            source=f"whois:{server}",
            server=server,
            registration=Registration(),
            fetched_at=now,
            sha256=hashlib.sha256(body).hexdigest(),
            text=text[:20000],
        )

    def _exchange(self, server: str, question: str) -> bytes:
        host, port = split_server(server, 43)
        addresses = system_addresses(host)
        open_to = [ip for ip in addresses if may_contact(ip, practice=self.practice) is None]
        if addresses and not open_to:
            raise RefusedError("A WHOIS server's address may not be contacted.", code="private_address")
        if not open_to:
            raise SourceError("A WHOIS server has no address.", "Check [enrich] whois.")
        deadline = monotonic() + TOTAL_TIMEOUT_S
        try:
            with socket.create_connection((open_to[0], port), timeout=TOTAL_TIMEOUT_S) as sock:
                sock.sendall(question.encode("ascii") + b"\r\n")
                return _read_all(sock, deadline)
        except OSError as error:
            raise SourceError("A WHOIS server did not answer.", "Run the look-up again later.") from error


def _read_all(sock: socket.socket, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size_bytes = 0
    while size_bytes <= MAX_TEXT_BYTES:
        left_s = deadline - monotonic()
        if left_s <= 0:
            raise SourceError("A WHOIS server is too slow.", "Run the look-up again later.")
        sock.settimeout(left_s)
        piece = sock.recv(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size_bytes += len(piece)
    raise SourceError("A WHOIS answer is too large.", "Ask the registry by hand.")


def abuse_mails(text: str, ip: Address) -> tuple[str, ...]:
    """Return the abuse mailboxes that a registry's text names for `ip`; none when it speaks of another range.

    A line of remarks counts when it holds the word abuse and exactly one mailbox.
    """
    lines = [line[:1000] for line in text.splitlines()[:2000]]
    spans = [span for line in lines if (match := _RANGE_LINE.match(line)) for span in _spans(match[1])]
    if spans and not any(span.holds(ip) for span in spans):
        return ()
    plain = [mail for line in lines if (mail := _abuse_mail(line))]
    remarks = [mails[0] for line in lines if len(mails := _remark_mails(line)) == 1]
    return tuple(dict.fromkeys(plain or remarks))


def _abuse_mail(line: str) -> str | None:
    match = _ABUSE_FOR.match(line) or _ABUSE_KEY.match(line)
    return mail_address(match[1].strip()) if match else None


def _remark_mails(line: str) -> tuple[str, ...]:
    return mails_in(line.partition(":")[2]) if _ABUSE_LINE.match(line) and "abuse" in line.lower() else ()


def _spans(text: str) -> list[Span]:
    return [span for part in text.split(",") if (span := parse_block(part.strip()))]


def registrar_in(text: str) -> tuple[str | None, str | None]:
    """Return the registrar's name and abuse mailbox from a domain's text; None for what is not there."""
    name = mail = None
    for line in text.splitlines()[:2000]:
        if name is None and (match := _REGISTRAR.match(line[:1000])):
            name = printable(match[1], 200).strip()
        if mail is None and (match := _REGISTRAR_ABUSE.match(line[:1000])):
            mail = mail_address(match[1])
    return name, mail


def registry_of(found: Fetched | None) -> str | None:
    """Return which of the five registries answered, by its server or the WHOIS server that it names."""
    if found is None:
        return None
    hints = f"{found.server} {found.registration.port43 or ''}".lower()
    words = {"afrinic": "afrinic", "lacnic": "lacnic", "apnic": "apnic", "ripe": "ripencc", "arin": "arin"}
    return next((key for word, key in words.items() if word in hints), None)
