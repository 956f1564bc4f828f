"""A small HTTP server on loopback for tests: routes in a dict, a request log, a count of those in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

Headers = Mapping[str, str]
Reply = tuple[int, Headers, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came in."""

    method: str
    path: str
    """Path and query, as they stood in the request line."""
    headers: Headers
    """Names in lower case; of a repeated header the last value."""
    body: bytes
    at_s: float
    """Seconds on the monotonic clock."""


Route = Reply | Callable[[Request], Reply]

NOT_FOUND: Reply = (404, {"Content-Type": "text/plain"}, b"no such page\n")


class WebServer:
    """An HTTP/1.1 server on 127.0.0.1 and a free port; use it as a context manager.

    A route is looked up by path and query, then by the path alone, then as `"*"`; else the answer is 404.
    A reply's headers go out as they are; Content-Length is added where neither it nor Transfer-Encoding is
    given.
    Routes may be changed while the server runs.
    """

    def __init__(self, routes: Mapping[str, Route] | None = None, *, address: str = "127.0.0.1") -> None:
        self.routes: dict[str, Route] = dict(routes or {})
        self._address = address
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._in_flight = 0
        self.most_in_flight = 0
        """The largest number of requests that were being answered at one time."""

    def __enter__(self) -> WebServer:
        self._server = _Server((self._address, 0), _Handler)
        self._server.web = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def root(self) -> str:
        """Give the server's address without a slash at the end."""
        return f"http://{self._address}:{self.port}"

    def url(self, path: str = "/") -> str:
        return self.root + path

    @property
    def requests(self) -> list[Request]:
        """Give all requests so far, in order."""
        with self._lock:
            return list(self._requests)

    @property
    def paths(self) -> list[str]:
        """Give path and query of all requests so far, in order, but for the rules for robots."""
        return [request.path for request in self.page_requests]

    @property
    def page_requests(self) -> list[Request]:
        """Give all requests so far, in order, but for the rules for robots."""
        return [request for request in self.requests if request.path != "/robots.txt"]

    @property
    def all_paths(self) -> list[str]:
        """Give path and query of all requests so far, in order."""
        return [request.path for request in self.requests]

    def answer(self, request: Request) -> Reply:
        """Give the reply to a request, and log it."""
        with self._lock:
            self._requests.append(request)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return self._reply(request)
        finally:
            with self._lock:
                self._in_flight -= 1

    def _reply(self, request: Request) -> Reply:
        for key in (request.path, request.path.partition("?")[0], "*"):
            if key in self.routes:
                route = self.routes[key]
                return route(request) if callable(route) else route
        return NOT_FOUND


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    web: WebServer

    def server_bind(self) -> None:
        # the library's own method resolves the address to a name
        self.socket.bind(self.server_address)
        host, port = self.socket.getsockname()[:2]
        self.server_address = (host, port)
        self.server_name, self.server_port = str(host), int(port)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go away; refusing a body is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: _Server

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        request = Request(
            method=self.command,
            path=self.path,
            headers={key.lower(): value for key, value in self.headers.items()},
            body=body,
            at_s=time.monotonic(),
        )
        status, headers, reply = self.server.web.answer(request)
        self._send(status, headers, reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815

    def _send(self, status: int, headers: Headers, body: bytes) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        named = {key.lower() for key in headers}
        if not named & {"content-length", "transfer-encoding"} and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_parts: object) -> None:
        """Print nothing."""
