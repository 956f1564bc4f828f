"""Puts the practice sites on loopback addresses: threads, Host names, a log of every request.

One HTTP server an address, all on one port: a link from one site to another needs one number only.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from desk.practice.answer import Answer, Ask, Kind, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Site = Callable[[Ask], Answer]

_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One request that a practice server received."""

    site: str
    method: str
    path: str
    """Path and query as they came."""
    status: int
    kind: Kind
    at_s: float
    """Seconds on the monotonic clock."""


class HitLog:
    """Every request since the start; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hits: list[Hit] = []

    def add(self, hit: Hit) -> None:
        """Append one request."""
        with self._lock:
            self._hits.append(hit)

    def all(self, site: str = "") -> tuple[Hit, ...]:
        """Give all requests in order, of one site if it is named."""
        with self._lock:
            return tuple(hit for hit in self._hits if not site or hit.site == site)

    @property
    def media_hits(self) -> int:
        """Give how many requests asked for a picture."""
        return self._count(Kind.MEDIA)

    @property
    def state_changing_hits(self) -> int:
        """Give how many requests would have changed something for a member."""
        return self._count(Kind.CHANGE)

    @property
    def attachment_hits(self) -> int:
        """Give how many requests asked for a file to save."""
        return self._count(Kind.ATTACHMENT)

    @property
    def post_hits(self) -> int:
        """Give how many requests used another method than GET and HEAD."""
        return sum(hit.method not in {"GET", "HEAD"} for hit in self.all())

    def _count(self, kind: Kind) -> int:
        return sum(hit.kind is kind for hit in self.all())

    def counts(self) -> dict[str, int]:
        """Give the four counters and the requests of each site, for a line of JSON."""
        sites = Counter(hit.site for hit in self.all())
        return {
            "media_hits": self.media_hits,
            "state_changing_hits": self.state_changing_hits,
            "attachment_hits": self.attachment_hits,
            "post_hits": self.post_hits,
            **{f"requests_{site}": count for site, count in sorted(sites.items())},
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, port: int, sites: Callable[[], Mapping[str, Site]], log: HitLog) -> None:
        self.sites = sites
        self.log = log
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking the address up, as the library's server would."""
        self.socket.bind(self.server_address)
        host, port = self.socket.getsockname()[:2]
        self.server_address = (host, port)
        self.server_name, self.server_port = str(host), int(port)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away; a crawler that stops reading is no fault here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "practice"
    sys_version = ""
    timeout = _DEADLINE_S
    server: _Server

    def do_GET(self) -> None:
        """Answer a GET; a HEAD is answered alike, without the body."""
        host = self.headers.get("Host", "").strip().lower()
        name = host.partition(":")[0]
        site = self.server.sites().get(name)
        ask = Ask.of(self.path, origin=f"http://{host}", port=self.server.server_port)
        self._send(name, plain("No such site here.\n", status=404) if site is None else site(ask))

    do_HEAD = do_GET  # noqa: N815 - the library finds methods by these names

    def do_POST(self) -> None:
        """Refuse everything that is sent here, and count it."""
        self.close_connection = True
        name = self.headers.get("Host", "").strip().lower().partition(":")[0]
        self._send(name, plain("Nothing is taken here.\n", status=405))

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_POST  # noqa: N815 - as above

    def _send(self, name: str, answer: Answer) -> None:
        self.server.log.add(
            Hit(
                site=name,
                method=self.command,
                path=self.path,
                status=answer.status,
                kind=answer.kind,
                at_s=time.monotonic(),
            )
        )
        self.send_response(answer.status)
        for key, value in answer.headers:
            self.send_header(key, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body)

    def log_message(self, *_parts: object) -> None:
        """Print nothing; the hit log holds it all."""


def usable_address(wanted: str) -> str:
    """Give the wanted loopback address, or 127.0.0.1 where the system has only that one."""
    try:
        with ThreadingHTTPServer((wanted, 0), BaseHTTPRequestHandler, bind_and_activate=False) as probe:
            probe.socket.bind((wanted, 0))
    except OSError:
        return "127.0.0.1"
    return wanted


class LoopbackWeb:
    """HTTP servers on several loopback addresses and one common port; use `start` and `stop`."""

    def __init__(
        self, addresses: tuple[str, ...], sites: Callable[[], Mapping[str, Site]], log: HitLog
    ) -> None:
        self._addresses = tuple(dict.fromkeys(addresses))
        self._sites = sites
        self._log = log
        self._servers: list[_Server] = []
        self.port = 0

    def start(self) -> None:
        """Bind one free port on all addresses and serve.

        Raises:
            OSError: no port was free on all of them.
        """
        for _ in range(50):
            if self._bind():
                break
        else:
            raise OSError(errno.EADDRINUSE, "no port is free on all loopback addresses")
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def _bind(self) -> bool:
        self.port = 0
        for address in self._addresses:
            try:
                server = _Server(address, self.port, self._sites, self._log)
            except OSError as error:
                self._close()
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
            self.port = server.server_port
            self._servers.append(server)
        return True

    def _close(self) -> None:
        for server in self._servers:
            server.server_close()
        self._servers.clear()

    def stop(self) -> None:
        """Stop serving and close the ports."""
        for server in self._servers:
            server.shutdown()
        self._close()
