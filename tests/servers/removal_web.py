"""A web whose pages under watch are taken down, walled, moved or disturbed by a clock that the test turns.

Each `Scenario` is one host: a function from a `Visit` to an `Answer`, and what its name resolves to. One
loopback server serves all hosts, told apart by the Host header. The text is about bread.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = "/p/1"
HOME_IP = "192.0.2.10"
DOWN_IP = "192.0.2.255"
"""Names that resolve to this are sent to a port where nobody listens."""
EVENT_H = 30.0
"""When things happen, in hours."""
TERM = "levain grondslag"
"""What the operator's only rule looks for; each page under watch says it."""

_WORDS = (  # noqa: SIM905, a paragraph of words is easier to read
    "starter flour rye wheat crumb crust oven steam hydration salt bulk proof fold score bake loaf banneton "
    "autolyse gluten kneading basket scalding malt spelt barley seeds tin stone peel sponge poolish biga "
    "soaker glaze batch timer scale razor towel shelf cellar miller sieve bran germ ash acid sugar butter"
).split()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server sends; `act` is how it does so."""

    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = "text/html; charset=utf-8"
    act: str = "send"
    """`send`, `reset` or `hang`."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request as a scenario sees it."""

    time_h: float
    path: str
    region: str
    number: int
    """Counts all requests, so that a page can differ each time."""

    @property
    def is_after(self) -> bool:
        return self.time_h >= EVENT_H


Name = tuple[str, str]
"""What the resolver says (`ok`, `nxdomain` ...) and the address."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One host under watch."""

    name: str
    answer: Callable[[Visit], Answer]
    verdicts: frozenset[str]
    """The right final verdicts."""
    is_present: Callable[[float], bool]
    """Whether the text can be read at this hour; a removal claimed then is a false one."""
    resolve: Callable[[float, str], Name] = lambda _time_h, _region: ("ok", HOME_IP)
    knows_frame: bool = True
    """False when the controls could not be had while the evidence was recorded."""
    needs_second: bool = False
    """The right verdict needs a second vantage."""

    @property
    def host(self) -> str:
        return f"{self.name}.example"


def bread(seed: str, words: int = 220) -> str:
    """Make text that is the same for the same seed."""
    chosen = random.Random(seed)
    return " ".join(chosen.choice(_WORDS) for _ in range(words))


def post(seed: str, words: int = 220) -> str:
    """Make the text under watch: what the rule looks for stands at its beginning and in its middle."""
    half = words // 2
    return f"Notes on {TERM}. {bread(seed, half)} with {TERM} again {bread(seed + 'b', half)}"


NAV = "<nav><p>home about contact forum recipes archive members</p></nav>"
FOOT = "<footer><p>demo site about baking, all words are free to copy</p></footer>"


def page(title: str, *paragraphs: str, frame: bool = True, extra: str = "", head: str = "") -> str:
    """Make a page of the demo site."""
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    top, end = (NAV, FOOT) if frame else ("", "")
    head = f"<head><title>{title}</title>{head}</head>"
    return f"<html>{head}<body>{top}<h1>{title}</h1>{text}{extra}{end}</body></html>"


NOT_FOUND = page("Not found", "the page you wanted is not here, try the search or go back to the front page")


def site(
    seed: str, when_gone: Callable[[Visit], Answer] | None = None, *, words: int = 220
) -> Callable[[Visit], Answer]:
    """Make an ordinary site, whose watched page answers by `when_gone` after the event."""

    def answer(visit: Visit) -> Answer:
        if visit.path == PAGE:
            if visit.is_after and when_gone is not None:
                return when_gone(visit)
            return Answer(body=page(f"Starter notes {seed}", post(seed, words)))
        if visit.path == "/":
            return Answer(body=page("Home of bread", bread("root" + seed, 80)))
        if visit.path.startswith("/p/") and visit.path[3:].isdigit():
            return Answer(body=page("Other notes", bread("other" + seed + visit.path)))
        return Answer(status=404, body=NOT_FOUND)

    return answer


def everywhere(seed: str, then: Callable[[Visit], Answer | None]) -> Callable[[Visit], Answer]:
    """Make an ordinary site, whose every page answers by `then` after the event, unless that says None."""
    before = site(seed)

    def answer(visit: Visit) -> Answer:
        changed = then(visit) if visit.is_after else None
        return changed or before(visit)

    return answer


@dataclass
class RemovalWeb:
    """The running web and its clock."""

    port: int
    down_port: int
    scenarios: dict[str, Scenario]
    time_h: float = 0.0
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, host: str, path: str, region: str) -> Answer:
        with self.lock:
            self.requests += 1
            visit = Visit(time_h=self.time_h, path=path, region=region, number=self.requests)
        return self.scenarios[host].answer(visit)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    web: RemovalWeb

    def log_message(self, *_arguments: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        answer = self.web.answer(host, self.path, self.headers.get("X-Region", "own"))
        if answer.act == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            return
        if answer.act == "hang":
            self.connection.recv(1)  # the visitor gives up first
            return
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        """End the connection; one that was reset has nothing left to flush."""
        if self.connection.fileno() >= 0:
            super().finish()


class _Server(HTTPServer):
    request_queue_size = 64


@contextmanager
def removal_web(scenarios: dict[str, Scenario]) -> Iterator[RemovalWeb]:
    """Serve the scenarios, named by host, until the block ends."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    web = RemovalWeb(server.server_address[1], silent.getsockname()[1], scenarios)
    handler.web = web  # type: ignore[attr-defined]  # made just above
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        silent.close()
