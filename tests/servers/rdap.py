"""A small RDAP server on loopback, and bootstrap files in IANA's form that point to it."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Answer = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An answer as it goes over the wire."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


PAUSE = Reply(429, headers={"Retry-After": "120"})
BROKEN = Reply(500, b"bread oven on fire")
GARBAGE = Reply(200, b"<html>\xff\xfe not json")
HUGE = Reply(200, b'{"name": "' + b"x" * (2 << 20) + b'"}')
DEEP = Reply(200, b'{"entities": ' + b"[" * 10_000 + b"]" * 10_000 + b"}")


class RdapServer:
    """Serve `ip/`, `autnum/`, `domain/` and `entity/` below `url`; unknown things are 404.

    `networks` maps a block to its answer, the narrowest counts; `paths` maps a path such as
    `domain/bread.example` to its answer and stands over the networks. Answers are dicts, or a `Reply`.
    """

    def __init__(self) -> None:
        self.networks: dict[str, Answer | Reply] = {}
        self.paths: dict[str, Answer | Reply] = {}
        self.hits: Counter[str] = Counter()
        """How often each path was asked for."""
        self.most_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()

    def __enter__(self) -> RdapServer:
        handler = type("Handler", (_Handler,), {"rdap": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join(5)
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/"

    def answer(self, path: str) -> Reply:
        found = self.paths.get(path)
        if found is None and path.startswith("ip/"):
            found = self._network(path.removeprefix("ip/"))
        if found is None:
            return Reply(404, b'{"errorCode": 404}')
        return found if isinstance(found, Reply) else Reply(200, json.dumps(found).encode())

    def _network(self, text: str) -> Answer | Reply | None:
        ip = ipaddress.ip_address(text)
        blocks = [ipaddress.ip_network(block) for block in self.networks]
        fitting = [block for block in blocks if block.version == ip.version and ip in block]
        return self.networks[str(max(fitting, key=lambda block: block.prefixlen))] if fitting else None

    def enter(self, path: str) -> None:
        with self._lock:
            self.hits[path] += 1
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)

    def leave(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def write_bootstrap(
        self,
        folder: Path,
        *,
        blocks: Iterable[str] = ("0.0.0.0/0", "::/0"),
        domains: Iterable[str] = ("example",),
    ) -> Path:
        """Write the four files into `folder` and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        tables: dict[str, list[str]] = {
            "ipv4.json": [block for block in blocks if ":" not in block],
            "ipv6.json": [block for block in blocks if ":" in block],
            "asn.json": ["64496-64511"],
            "dns.json": list(domains),
        }
        for name, keys in tables.items():
            services = [[keys, [self.url]]] if keys else []
            found = {"version": "1.0", "publication": "2026-01-01T00:00:00Z", "services": services}
            (folder / name).write_text(json.dumps(found))
        return folder


class _Handler(BaseHTTPRequestHandler):
    rdap: RdapServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        self.rdap.enter(path)
        try:
            reply = self.rdap.answer(path)
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            self.close_connection = True  # the client had enough of a huge answer
        finally:
            self.rdap.leave()

    def log_message(self, *_: object) -> None:
        return


def card(name: str, *mails: str, kind: str = "group") -> list[Any]:
    """Return a vCard array (RFC 7095) with a name and mailboxes."""
    rows: list[Any] = [["version", {}, "text", "4.0"], ["fn", {}, "text", name], ["kind", {}, "text", kind]]
    return ["vcard", [*rows, *(["email", {}, "text", mail] for mail in mails)]]


def entity(roles: Iterable[str], name: str, *mails: str, kind: str = "group", **more: Any) -> Answer:
    """Return an entity of an answer; its handle is made from its name unless given."""
    found = {"objectClassName": "entity", "roles": list(roles), "handle": name.upper().replace(" ", "-")}
    return {**found, "vcardArray": card(name, *mails, kind=kind), **more}


def network(block: str, *entities: Answer, **more: Any) -> Answer:
    """Return the answer for a block."""
    span = ipaddress.ip_network(block)
    return {
        "objectClassName": "ip network",
        "handle": f"NET-{span.network_address}",
        "name": "BREAD-NET",
        "startAddress": str(span[0]),
        "endAddress": str(span[-1]),
        "country": "DE",
        "type": "ASSIGNED PA",
        "status": ["active"],
        "entities": list(entities),
        **more,
    }
