"""A name server on loopback for the practice names, over UDP and TCP on one port.

It answers what it knows with authority and says NXDOMAIN to everything else; it never asks anybody.
"""

# mypy: allow-untyped-calls
# dnslib, the only library called here, carries no types.

from __future__ import annotations

import socketserver
import struct
import threading
from typing import TYPE_CHECKING

from dnslib import CNAME, MX, NS, QTYPE, RCODE, RR, SOA, TXT, A, DNSError, DNSRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

TTL_S = 60
_DEADLINE_S = 2.0

Zone = dict[str, tuple[tuple[str, object], ...]]
"""Lower-case name without the last dot -> (record type, record data)."""


def practice_zone(hosts: Mapping[str, str]) -> Zone:
    """Give the records of the practice names; `hosts` maps `forum`, `mirror` and `paste` to addresses."""
    zone: Zone = {
        "forum.crumb.example": (("A", A(hosts["forum"])),),
        "mirror.crust.example": (("CNAME", CNAME("edge.basket.example")),),
        "edge.basket.example": (("A", A(hosts["mirror"])),),
        "paste.starter.example": (("A", A(hosts["paste"])), ("TXT", TXT("text only"))),
        "www.loaf.example": (("A", A("192.0.2.80")),),
    }
    for domain, provider in (
        ("crumb", "levain"),
        ("crust", "basket"),
        ("starter", "bench"),
        ("loaf", "loaf"),
        ("levain", "levain"),
        ("basket", "basket"),
        ("bench", "bench"),
    ):
        zone[f"{domain}.example"] = _apex(domain, provider)
    zone |= {
        f"ns1.{name}.example": (("A", A("192.0.2.53")),) for name in ("levain", "basket", "bench", "loaf")
    }
    zone |= {
        f"mail.{name}.example": (("A", A("192.0.2.25")),) for name in ("levain", "basket", "bench", "loaf")
    }
    return zone


def _apex(domain: str, provider: str) -> tuple[tuple[str, object], ...]:
    times = (2026050101, 7200, 900, 1209600, TTL_S)
    server = f"ns1.{provider}.example"
    return (
        ("SOA", SOA(server, f"hostmaster.{domain}.example", times)),
        ("NS", NS(server)),
        ("NS", NS(f"ns2.{provider}.example")),
        ("MX", MX(f"mail.{provider}.example", 10)),
    )


def reply_to(packet: bytes, zone: Zone) -> bytes:
    """Give the answer to one DNS query.

    Raises:
        DNSError: the packet is no DNS query.
    """
    query = DNSRecord.parse(packet)
    reply = query.reply(ra=0)
    name = str(query.q.qname).rstrip(".").lower()
    wanted = QTYPE[query.q.qtype]
    if name not in zone:
        reply.header.rcode = RCODE.NOERROR if _has_children(name, zone) else RCODE.NXDOMAIN
    seen: set[str] = set()
    while name in zone and name not in seen:
        seen.add(name)
        alias = _add_records(reply, name, wanted, zone)
        if alias is None:
            break
        name = alias
    if not reply.rr:
        _add_authority(reply, name, zone)
    return bytes(reply.pack())


def _has_children(name: str, zone: Zone) -> bool:
    """Tell whether a name is empty but has names below it (RFC 8020: then it exists)."""
    return any(known.endswith("." + name) for known in zone)


def _add_records(reply: DNSRecord, name: str, wanted: str, zone: Zone) -> str | None:
    """Add the records of a name; give the name to follow where it is an alias (RFC 1034, 3.6.2)."""
    alias = None
    for kind, data in zone[name]:
        if kind in {wanted, "CNAME"} or wanted == "ANY":
            reply.add_answer(RR(name, getattr(QTYPE, kind), rdata=data, ttl=TTL_S))
        if kind == "CNAME" and wanted not in {"CNAME", "ANY"}:
            alias = str(getattr(data, "label", "")).rstrip(".").lower()
    return alias


def _add_authority(reply: DNSRecord, name: str, zone: Zone) -> None:
    """Add the SOA of the zone around a name to an answer without records (RFC 2308, 3)."""
    labels = name.split(".")
    for cut in range(len(labels)):
        apex = ".".join(labels[cut:])
        for kind, data in zone.get(apex, ()):
            if kind == "SOA":
                reply.add_auth(RR(apex, QTYPE.SOA, rdata=data, ttl=TTL_S))
                return


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    zone: Zone


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    zone: Zone


class _UdpQuery(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        packet, connection = self.request
        try:
            connection.sendto(reply_to(packet, self.server.zone), self.client_address)  # type: ignore[attr-defined]  # _Udp
        except DNSError:
            return


class _TcpQuery(socketserver.StreamRequestHandler):
    timeout = _DEADLINE_S

    def handle(self) -> None:
        try:
            while len(head := self.rfile.read(2)) == 2:
                packet = self.rfile.read(struct.unpack("!H", head)[0])
                answer = reply_to(packet, self.server.zone)  # type: ignore[attr-defined]  # always a _Tcp
                self.wfile.write(struct.pack("!H", len(answer)) + answer)
        except (DNSError, OSError):
            return


class NameServer:
    """A name server on one loopback port; use it as a context manager."""

    def __init__(self, zone: Zone):
        self.zone = dict(zone)
        """Names may be taken out and put back while it runs."""
        self._servers: tuple[socketserver.BaseServer, ...] = ()
        self.address = ""
        """`127.0.0.1:port` once it runs."""

    def __enter__(self) -> NameServer:
        udp, tcp = _bind_both()
        udp.zone = tcp.zone = self.zone
        self.address = "{}:{}".format(*udp.server_address[:2])
        self._servers = (udp, tcp)
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _bind_both() -> tuple[_Udp, _Tcp]:
    """Bind a UDP port that is free for TCP as well."""
    for _ in range(50):
        udp = _Udp(("127.0.0.1", 0), _UdpQuery)
        try:
            return udp, _Tcp(("127.0.0.1", int(udp.server_address[1])), _TcpQuery)
        except OSError:
            udp.server_close()
    raise OSError("no loopback port is free for UDP and TCP at once")
