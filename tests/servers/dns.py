"""A small DNS server on loopback whose records tests set and change while it runs."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnslib import QTYPE, RCODE, RR, DNSRecord

if TYPE_CHECKING:
    from types import TracebackType

NXDOMAIN, SERVFAIL, SILENCE = "NXDOMAIN", "SERVFAIL", "SILENCE"


@dataclass
class DnsServer:
    """Answer UDP queries from ``zone``; `with` starts and ends it.

    ``zone`` maps a name to lines in zone form (``A 192.0.2.7``, ``60 AAAA 2001:db8::7``, ``CNAME a.example``)
    or to one of NXDOMAIN, SERVFAIL and SILENCE. Unknown names do not exist.
    """

    zone: dict[str, list[str] | str] = field(default_factory=dict)
    queries: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each name and type was asked for."""

    def __enter__(self) -> DnsServer:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            reply = self._reply(DNSRecord.parse(data))
            if reply is not None:
                self._socket.sendto(reply.pack(), peer)

    def _reply(self, query: DNSRecord) -> DNSRecord | None:
        name = str(query.q.qname).rstrip(".").lower()
        kind = QTYPE[query.q.qtype]
        self.queries[name, kind] += 1
        reply = query.reply()
        records = self.zone.get(name, NXDOMAIN)
        if isinstance(records, str):
            if records == SILENCE:
                return None
            reply.header.rcode = getattr(RCODE, records)
            return reply
        self._add(reply, name, kind)
        return reply

    def _add(self, reply: DNSRecord, name: str, kind: str) -> None:
        for line in self.zone.get(name, ()):
            ttl, _, rest = line.partition(" ") if line[0].isdigit() else ("60", "", line)
            found, _, value = rest.partition(" ")
            if found in {kind, "CNAME"}:
                reply.add_answer(*RR.fromZone(f"{name}. {ttl} IN {found} {value}"))
            if found == "CNAME":
                self._add(reply, value.rstrip("."), kind)
