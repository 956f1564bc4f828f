"""Every hostile HTTP answer with what must come of it: outcome, acknowledged bytes, connections.

One table for the tests and for `make hostile`; each case is a script under a path of its own.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers.hostile import BREAD, KB, NOISE, drip, endless, head, page, raw, silence

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    Script = Callable[[socket.socket], None]

MB = 1024 * KB
HTML = "Content-Type: text/html; charset=utf-8"
CHUNKED = "Transfer-Encoding: chunked"
HEAD_BOUND = 4 * KB
ADMISSION_BOUND = 64 * KB
CONTENT_BOUND = 64 * KB
PAGE_CAP = 256 * KB
"""The cap on a page that the cases are written for."""
SIZE_BOUND = PAGE_CAP + 64 * KB
PRIVATE = "http://127.0.0.99:9/oven"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile answer.

    Args:
        name: Its path, too.
        script: What the server does.
        outcomes: What may come of it: refusal or failure codes, ``text``, or a status without text.
        bound_bytes: How much of the answer may be acknowledged on plain HTTP.
        body: The text, where it must be exactly this one.
        is_by_header: Refused by its head: under TLS one record more.
    """

    name: str
    script: Script
    outcomes: frozenset[str]
    bound_bytes: int
    body: bytes | None = None
    is_by_header: bool = False

    @property
    def path(self) -> str:
        return "/" + self.name.replace(" ", "-")

    def bound_under_tls(self) -> int:
        return self.bound_bytes + (16 * KB if self.is_by_header else 1 * KB)


def case(name: str, script: Script, outcomes: str, bound: int = ADMISSION_BOUND, **rest: object) -> Case:
    return Case(name=name, script=script, outcomes=frozenset(outcomes.split()), bound_bytes=bound, **rest)


def by_head(name: str, start: bytes, outcomes: str) -> Case:
    """Give a case that its head decides, with an endless body."""
    return case(
        name, endless(start, BREAD * 500, times=2000), outcomes, HEAD_BOUND + len(start), is_by_header=True
    )


def bad(name: str, data: bytes, outcomes: str = "bad_http") -> Case:
    return case(name, raw(data), outcomes)


def read(name: str, data: bytes, body: bytes) -> Case:
    """Give an odd answer that is still read right."""
    return case(name, raw(data), "text", len(data) + 64, body=body)


PAGE = page(3000)


def drips() -> Iterator[Case]:
    slow = "deadline read_timeout"
    yield case("body drip", drip(head(HTML, length=100_000), b"a", 0.05), slow)
    yield case("body drip without length", drip(head(HTML), b"a", 0.05), slow)
    yield case("chunk drip", drip(head(HTML, CHUNKED), b"1\r\na\r\n", 0.05), slow)
    yield case("header drip", drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n", 0.05), slow)
    yield case("header line drip", drip(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.05), slow)
    yield case("status drip", drip(b"HTTP/1.1 200 ", b"O", 0.05), slow)
    yield case("trailer drip", drip(head(HTML, CHUNKED) + b"5\r\nbread\r\n0\r\n", b"X: a\r\n", 0.05), slow)
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packed.compress(page(100)) + packed.flush(zlib.Z_SYNC_FLUSH)
    yield case("gzip drip", drip(head(HTML, "Content-Encoding: gzip") + start, b"\0\0\0\xff\xff", 0.05), slow)
    yield case("silence", silence, slow)
    yield case("half a body then silence", drip(head(HTML, length=100_000) + page(20_000), b"", 0.5), slow)
    yield case("half a head then silence", drip(b"HTTP/1.1 200 OK\r\nContent-Ty", b"", 0.5), slow)


def floods() -> Iterator[Case]:
    over = "too_large bad_http"
    filler = b"X-Rye: " + b"a" * 1000 + b"\r\n"
    yield case("190 MB of headers", endless(b"HTTP/1.1 200 OK\r\n", filler * 64, times=3000), over)
    yield case("many small headers", endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 200, times=190_000), over)
    yield case("endless header line", endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 65536, times=3000), over)
    yield case("endless header name", endless(b"HTTP/1.1 200 OK\r\nX", b"a" * 65536, times=3000), over)
    yield case("endless folded header", endless(b"HTTP/1.1 200 OK\r\nX: a\r\n", b" b\r\n" * 9000), over)
    yield case("endless status line", endless(b"HTTP/1.1 200 ", b"a" * 65536, times=3000), over)
    yield case("endless blank lines", endless(b"", b"\r\n" * 9000), over)
    yield case("endless letters", endless(b"", b"a" * 65536, times=3000), over)
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    yield case("endless 103", endless(b"", hints * 50, times=400_000), over)
    yield case("endless 100", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50, times=400_000), over)
    yield case("endless 102", endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 50, times=400_000), over)
    yield case("103 drip", drip(b"", hints, 0.05), "deadline read_timeout")
    yield read("three 103 then a page", hints * 3 + head(HTML, length=len(PAGE)) + PAGE, PAGE)
    sizes = b"1;" + b"a" * 4000 + b"\r\nb\r\n"
    yield case("endless chunk extensions", endless(head(HTML, CHUNKED), sizes), over)
    yield case("chunk extension of 1 MB", raw(head(HTML, CHUNKED) + b"5;" + b"a" * MB), over)
    trailer = head(HTML, CHUNKED) + b"5\r\nbread\r\n0\r\n"
    yield case("endless trailers", endless(trailer, b"X-Rye: a\r\n" * 900), "truncated")
    yield case("endless trailer line", endless(trailer + b"X: ", b"a" * 65536, times=3000), "truncated")
    yield case("endless page", endless(head(HTML), BREAD * 100), "too_large", SIZE_BOUND)
    yield case(
        "endless page in chunks",
        endless(head(HTML, CHUNKED), b"%x\r\n%b\r\n" % (len(BREAD), BREAD)),
        "too_large",
        2 * SIZE_BOUND,
    )
    yield case(
        "endless tiny chunks",
        endless(head(HTML, CHUNKED), b"6\r\nbread \r\n" * 3000),
        "too_large",
        SIZE_BOUND,
    )
    yield case("endless line", endless(head(HTML), b"bread " * 5000), "too_large", SIZE_BOUND)


def _gzip_member(flags: int, field: bytes) -> bytes:
    """Give a gzip member with extra header fields (RFC 1952, 2.3)."""
    return b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\xff" + field


def _deflated(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return packer.compress(data) + packer.flush()


def _bomb(size_bytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * MB
    return b"".join(packer.compress(block) for _ in range(size_bytes // MB)) + packer.flush()


def encodings() -> Iterator[Case]:
    packing = "Content-Encoding: gzip"
    start = head(HTML, packing)
    bomb = _bomb(256 * MB)
    packed = gzip.compress(PAGE)
    yield case("gzip bomb", raw(head(HTML, packing, length=len(bomb)) + bomb), "too_large", CONTENT_BOUND)
    yield case("nested gzip bomb", raw(start + gzip.compress(bomb)), "binary", CONTENT_BOUND)
    yield by_head("twice gzip by label", head(HTML, "Content-Encoding: gzip, gzip"), "encoding")
    yield case("concatenated gzip", raw(start + packed + bomb), "encoding", CONTENT_BOUND)
    yield case(
        "gzip of nothing", endless(start + gzip.compress(b"")[:10], b"\0\0\0\xff\xff" * 1000), "too_large"
    )
    yield case("endless empty gzip members", endless(start, gzip.compress(b"") * 500), "encoding")
    yield case("gzip with an endless name", endless(start + _gzip_member(8, b""), b"a" * 65536), "too_large")
    yield case(
        "gzip with an endless comment", endless(start + _gzip_member(16, b""), b"a" * 65536), "too_large"
    )
    extra = _gzip_member(4, struct.pack("<H", 65535) + b"a" * 65535)
    yield case("gzip with 64 KB of extra", endless(start + extra, b"\0\0\0\xff\xff" * 1000), "too_large")
    named = _gzip_member(8, b"bread.html\0") + packed[10:]
    yield read("gzip with a name", start + named, PAGE)
    yield bad("gzip with a wrong sum", start + packed[:-8] + b"\0" * 8, "encoding")
    yield bad("gzip cut off", start + packed[:-9], "truncated")
    yield bad("gzip label on nothing", head(HTML, packing, length=0), "truncated 200")
    yield bad("deflate body as gzip", start + _deflated(PAGE, 15), "encoding")
    for label in ("br", "zstd", "deflate", "compress", "gzip, br", "identity, gzip", "x-rye", "gzip;q=1"):
        outcome = "encoding"
        yield by_head(f"encoded as {label}", head(HTML, f"Content-Encoding: {label}"), outcome)
    yield by_head("two encoding lines", head(HTML, packing, "Content-Encoding: br"), "encoding bad_http")


def contents() -> Iterator[Case]:
    line = (b"bread and butter " * (PAGE_CAP // 16))[: PAGE_CAP - 10]
    yield read("one line up to the cap", head(HTML, length=len(line)) + line, line)
    links = b"".join(b"<a href=/%d>" % number for number in range(100_000))
    yield case(
        "100000 links", raw(head(HTML, length=len(links)) + links), "too_large", HEAD_BOUND, is_by_header=True
    )
    fewer = links[: PAGE_CAP - 2000]
    yield read("links up to the cap", head(HTML, length=len(fewer)) + fewer, fewer)
    late = page(100_000) + NOISE
    yield case(
        "noise after a page",
        raw(head(HTML, length=len(late)) + late),
        "binary too_large",
        100_000 + CONTENT_BOUND,
    )
    yield case(
        "slow but honest", _slow_page(PAGE, pieces=10, pause_s=0.05), "text", len(PAGE) + KB, body=PAGE
    )


def _slow_page(body: bytes, *, pieces: int, pause_s: float) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(head(HTML, length=len(body)))
        size = -(-len(body) // pieces)
        connection.settimeout(pause_s)
        for at in range(0, len(body), size):
            with suppress(TimeoutError):
                connection.recv(1)
            connection.sendall(body[at : at + size])

    return script
