"""A raw TCP server that lies, drips, floods and bombs, and a generator of lying answers.

It counts what the client's kernel acknowledged (TCP_INFO), which no client can embellish.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import random
import socket
import ssl
import struct
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

KB = 1024
_BYTES_ACKED_OFFSET = 120  # struct tcp_info, tcpi_bytes_acked
WAIT_S = 20.0

Script = "Callable[[socket.socket], None]"


@dataclass
class Visit:
    """One connection: its request, and what was acknowledged of the answer."""

    request: bytes = b""
    acked_bytes: int = 0
    """What was acknowledged after the request, TLS handshake left out."""
    is_over: bool = False
    was_reset: bool = False

    @property
    def path(self) -> str:
        return self.request.split(b" ", 2)[1].decode("latin-1") if self.request else ""


@dataclass
class HostileServer:
    """Serve scripts by path on loopback, one thread a connection; `with` starts and ends it.

    Args:
        scripts: What to send for each path; unknown paths are closed at once.
        context: Server-side TLS, if any.
        host: The loopback address to listen on.
    """

    scripts: Mapping[str, Callable[[socket.socket], None]]
    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    visits: list[Visit] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _is_ending: bool = False

    def __enter__(self) -> HostileServer:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family, backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(WAIT_S)
        for thread in self._threads:
            thread.join(WAIT_S)

    def url(self, path: str, host: str | None = None) -> str:
        scheme = "https" if self.context else "http"
        name = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{scheme}://{name}:{self.port}{path}"

    def wait_over(self, count: int) -> list[Visit]:
        """Wait until ``count`` connections have ended and give them."""

        def over() -> bool:
            return sum(visit.is_over for visit in self.visits) >= count

        with self._changed:
            if not self._changed.wait_for(over, WAIT_S):
                raise TimeoutError(f"{len(self.visits)} connections, {count} wanted")
            return list(self.visits)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            visit = Visit()
            with self._changed:
                self.visits.append(visit)
            thread = threading.Thread(target=self._serve, args=(connection, visit), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, visit: Visit) -> None:
        talking = connection
        before_bytes = 0
        try:
            if self.context is not None:
                # Around a duplicate, so that the plain one still answers TCP_INFO after the end.
                talking = self.context.wrap_socket(connection.dup(), server_side=True)
            visit.request = _read_head(talking)
            before_bytes = _acked_bytes(connection)
            path = visit.request.split(b" ", 2)[1].decode("ascii", "replace") if visit.request else ""
            script = self.scripts.get(path)
            if script is not None:
                script(talking)
                _say_goodbye(talking)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(WAIT_S)
                while connection.recv(65536):
                    pass
        except OSError as error:
            visit.was_reset = isinstance(error, ConnectionResetError | BrokenPipeError)
        finally:
            with suppress(OSError):
                visit.acked_bytes = _acked_bytes(connection) - before_bytes
            if talking is not connection:
                talking.close()
            connection.close()
            with self._changed:
                visit.is_over = True
                self._changed.notify_all()


def _say_goodbye(talking: socket.socket) -> None:
    """End TLS by its closing alert, without waiting for the other's."""
    if isinstance(talking, ssl.SSLSocket):
        talking.settimeout(0)
        # Half closed or reset by its script, there is nothing left to say it with.
        with suppress(OSError, ValueError):
            talking.unwrap()


def _acked_bytes(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("<Q", info, _BYTES_ACKED_OFFSET)[0])


def _read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def head(*lines: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Give the head of an answer."""
    announced = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([f"HTTP/1.1 {status}", *announced, *lines, "", ""]).encode("latin-1")


def answer(body: bytes, *lines: str, status: str = "200 OK") -> Callable[[socket.socket], None]:
    """Give the script of a whole answer with its length."""
    return raw(head(*lines, status=status, length=len(body)) + body)


def raw(data: bytes) -> Callable[[socket.socket], None]:
    """Give the script that sends just these bytes."""
    return lambda connection: connection.sendall(data)


def endless(start: bytes, again: bytes, *, times: int = 1_000_000) -> Callable[[socket.socket], None]:
    """Give the script that sends ``start`` and then ``again`` for as long as anybody listens."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(times):
            connection.sendall(again)

    return script


def drip(start: bytes, again: bytes, pause_s: float) -> Callable[[socket.socket], None]:
    """Give the script that sends ``start`` and then ``again`` from time to time."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(pause_s)
        while True:
            connection.sendall(again)
            # Waits for the client to leave: a reset raises, silence lets the next drop fall.
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return

    return script


def silence(connection: socket.socket) -> None:
    """Send nothing until the client leaves."""
    connection.settimeout(WAIT_S)
    connection.recv(1)


def gzip_bomb(size_bytes: int) -> bytes:
    """Give gzip that decodes to ``size_bytes`` of blanks."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1024 * KB)
    return b"".join(squeeze.compress(block) for _ in range(size_bytes // len(block))) + squeeze.flush()


@dataclass(frozen=True)
class Lie:
    """An answer that is media whatever it says."""

    name: str
    data: bytes
    head_bytes: int
    """How much of ``data`` is the head; the rest is the body."""
    disproved_at: int | None
    """Place in the body of the byte that disproves it; None when the head does."""

    @property
    def bound_bytes(self) -> int:
        """How much of the whole answer may be acknowledged."""
        if self.disproved_at is None:
            return self.head_bytes + 4 * KB
        return self.head_bytes + self.disproved_at + 64 * KB


SIGNATURES: dict[str, tuple[str, bytes]] = {
    "jpeg": ("image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"),
    "png": ("image/png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
    "gif": ("image/gif", b"GIF89a\x40\x01\xf0\x00\xf7\x00\x00"),
    "webp": ("image/webp", b"RIFF\x24\x30\x00\x00WEBPVP8 "),
    "avif": ("image/avif", b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00"),
    "heic": ("image/heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"),
    "bmp": ("image/bmp", b"BM\x36\x10\x0e\x00\x00\x00\x00\x00"),
    "tiff": ("image/tiff", b"II*\x00\x08\x00\x00\x00"),
    "ico": ("image/x-icon", b"\x00\x00\x01\x00\x01\x00\x10\x10"),
    "psd": ("image/vnd.adobe.photoshop", b"8BPS\x00\x01\x00\x00"),
    "mp4": ("video/mp4", b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00"),
    "webm": ("video/webm", b"\x1aE\xdf\xa3\x01\x00\x00\x00"),
    "avi": ("video/x-msvideo", b"RIFF\x10\x00\x10\x00AVI LIST"),
    "mpeg": ("video/mpeg", b"\x00\x00\x01\xba\x44\x00\x04"),
    "flv": ("video/x-flv", b"FLV\x01\x05\x00\x00\x00\x09"),
    "mp3": ("audio/mpeg", b"ID3\x04\x00\x00\x00\x00\x0f\x76"),
    "ogg": ("audio/ogg", b"OggS\x00\x02\x00\x00\x00\x00"),
    "flac": ("audio/flac", b"fLaC\x00\x00\x00\x22"),
    "wav": ("audio/wav", b"RIFF\x24\x10\x08\x00WAVEfmt "),
    "zip": ("application/zip", b"PK\x03\x04\x14\x00\x00\x00\x08\x00"),
    "7z": ("application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c\x00\x04"),
    "rar": ("application/vnd.rar", b"Rar!\x1a\x07\x01\x00"),
    "gz": ("application/gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
    "woff2": ("font/woff2", b"wOF2\x00\x01\x00\x00"),
    "wasm": ("application/wasm", b"\x00asm\x01\x00\x00\x00"),
    "elf": ("application/x-elf", b"\x7fELF\x02\x01\x01\x00"),
    "exe": ("application/vnd.microsoft.portable-executable", b"MZ\x90\x00\x03\x00\x00\x00"),
    "pdf": ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
}
BODY_BYTES = 400 * KB
_DICE = random.Random(20)
NOISE = _DICE.randbytes(BODY_BYTES)
HIGH_NOISE = bytes(byte | 0x80 for byte in NOISE)
LOW_NOISE = bytes(byte & 0x7F for byte in NOISE)
BREAD = b"<p>Fold the dough every thirty minutes, then let it rest in a cool place.</p>\n"


def page(size_bytes: int) -> bytes:
    """Give an honest page of about this size."""
    start = b"<!doctype html><title>Sourdough</title>\n"
    return (start + BREAD * (size_bytes // len(BREAD) + 1))[:size_bytes]


def lies() -> Iterator[Lie]:
    """Give well over a hundred lying answers: each type under each disguise, then the special ones."""
    for name, (media_type, magic) in SIGNATURES.items():
        media = magic + NOISE
        yield _lie(f"{name} by its name", media, f"Content-Type: {media_type}", at=None)
        yield _lie(f"{name} as html", media, "Content-Type: text/html; charset=utf-8")
        yield _lie(f"{name} as plain text", media, "Content-Type: text/plain")
        yield _lie(f"{name} without a type", media)
    yield from _lies_of_heads()
    yield from _lies_of_encodings()
    yield from _lies_of_charsets()
    yield from _polyglots()
    yield from _lies_in_letters()


def _lie(name: str, body: bytes, *lines: str, at: int | None = 0, length: int | None = -1) -> Lie:
    start = head(*lines, length=len(body) if length == -1 else length)
    return Lie(name, start + body, len(start), at)


def _lies_of_heads() -> Iterator[Lie]:
    jpeg = SIGNATURES["jpeg"][1] + NOISE
    html = "Content-Type: text/html"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg">' + b'<path d="M 0 0 L 9 9"/>\n' * 9000
    for kind in ("application/octet-stream", "image/svg+xml", "application/xml", "text/xml", "text/css",
                 "binary/octet-stream", "multipart/x-mixed-replace; boundary=b", "text/html+gzip", "*/*",
                 "message/rfc822", "text/html, image/jpeg", "TEXT/HTMLX", "image/jpeg; html"):  # fmt: skip
        yield _lie(f"declared {kind}", jpeg, f"Content-Type: {kind}", at=None)
    yield _lie("two types", jpeg, html, "Content-Type: image/jpeg", at=None)
    yield _lie("an attachment", page(BODY_BYTES), html, "Content-Disposition: attachment", at=None)
    named = 'Content-Disposition: inline; filename="oven.jpg"'
    yield _lie("named as a picture", page(BODY_BYTES), html, named, at=None)
    yield _lie("svg by its type", svg, "Content-Type: image/svg+xml", at=None)
    yield _lie("svg as html", svg, html)
    yield _lie("svg behind a declaration", b'<?xml version="1.0"?>\n' + svg, "Content-Type: text/plain")
    yield _lie("no length", jpeg, html, length=None)
    yield _lie("a length too short", jpeg, html, length=100)
    yield _lie("a length too long", jpeg, html, length=90_000_000, at=None)
    yield _lie("a type in capitals", jpeg, "CONTENT-TYPE: TEXT/HTML")
    yield _lie("as xhtml", jpeg, "Content-Type: application/xhtml+xml")
    chunks = b"".join(b"1000\r\n" + jpeg[at : at + 4096] + b"\r\n" for at in range(0, 400_000, 4096))
    yield _lie("in chunks", chunks, html, "Transfer-Encoding: chunked", length=None)
    tiny = b"".join(b"1\r\n%c\r\n" % byte for byte in jpeg[:40_000])
    yield _lie("in chunks of one byte", tiny, html, "Transfer-Encoding: chunked", length=None)


def _lies_of_encodings() -> Iterator[Lie]:
    jpeg = SIGNATURES["jpeg"][1] + NOISE
    html = "Content-Type: text/html"
    packed = gzip.compress(jpeg, 1)
    for label in ("br", "zstd", "deflate", "compress", "gzip, gzip", "gzip, br", "x-unknown", "gzip;q=1"):
        yield _lie(f"encoded as {label}", packed, html, f"Content-Encoding: {label}", at=None)
    yield _lie("two encoding lines", packed, html, "Content-Encoding: gzip", "Content-Encoding: br", at=None)
    yield _lie("jpeg in gzip", packed, html, "Content-Encoding: gzip")
    yield _lie("gzip in gzip", gzip.compress(packed, 1), html, "Content-Encoding: gzip")
    yield _lie("gzip without its label", packed, html)
    yield _lie("not gzip at all", jpeg, html, "Content-Encoding: gzip")
    small = gzip.compress(page(2000))
    yield _lie("bytes after the gzip body", small + jpeg, html, "Content-Encoding: gzip", at=len(small))
    yield _lie("a second gzip member", small + packed, html, "Content-Encoding: gzip", at=len(small))


def _lies_of_charsets() -> Iterator[Lie]:
    for charset in ("windows-1252", "iso-8859-1", "iso-8859-5", "koi8-r", "shift_jis", "gb18030", "big5",
                    "euc-jp", "euc-kr", "windows-1251", "windows-1256", "macintosh", "ibm866", "utf-8",
                    "windows-874", "us-ascii"):  # fmt: skip
        kind = f"Content-Type: text/html; charset={charset}"
        yield _lie(f"high noise as {charset}", HIGH_NOISE, kind, at=KB)
        yield _lie(f"noise as {charset}", NOISE, kind)
    for charset in ("utf-16", "utf-16be", "utf-32", "utf-7", "x-user-defined", "binary"):
        yield _lie(f"noise as {charset}", NOISE, f"Content-Type: text/plain; charset={charset}")
    for name, mark in {"utf-8": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe", "big utf-16": b"\xfe\xff"}.items():
        yield _lie(f"noise behind a {name} mark", mark + NOISE, "Content-Type: text/html")
    yield _lie("noise of seven bits", LOW_NOISE, "Content-Type: text/plain")
    spread = NOISE[:200_000].decode("latin-1").encode()
    yield _lie("noise respelled in utf-8", spread, "Content-Type: text/plain; charset=utf-8")
    unsurrogated = bytes(byte % 0xD8 if at % 2 else byte for at, byte in enumerate(NOISE[:200_000]))
    yield _lie("noise respelled in utf-16", b"\xff\xfe" + unsurrogated, "Content-Type: text/plain", at=4 * KB)


def _polyglots() -> Iterator[Lie]:
    html = "Content-Type: text/html; charset=utf-8"
    for size in (10, 100, 511, 513, 600, 1500, 5000, 20_000, 50_000, 200_000):
        yield _lie(f"noise after {size} bytes of page", page(size) + NOISE, html, at=size)
    for charset in ("gb18030", "koi8-r", "windows-1252"):
        kind = f"Content-Type: text/html; charset={charset}"
        yield _lie(f"late high noise as {charset}", page(100_000) + HIGH_NOISE, kind, at=100_000 + 2 * KB)
    part = b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + SIGNATURES["jpeg"][1] + NOISE
    yield _lie("multipart as text", part, "Content-Type: text/plain", at=40)
    comment = b"<!--" + SIGNATURES["png"][1] + NOISE
    yield _lie("noise in a comment", comment, html)
    yield _lie("gif and script at once", b"GIF89a/*" + NOISE + b"*/=1;", html)
    packed = gzip.compress(page(60_000) + NOISE, 1)
    yield _lie("late noise in gzip", packed, html, "Content-Encoding: gzip", at=4 * KB)


def _lies_in_letters() -> Iterator[Lie]:
    jpeg = SIGNATURES["jpeg"][1] + NOISE[:150_000]
    plain, html = "Content-Type: text/plain", "Content-Type: text/html"
    letters = base64.b64encode(jpeg)
    lines = base64.encodebytes(jpeg)
    at = 16 * KB
    yield _lie("base64", letters, plain, at=at)
    yield _lie("base64 in lines", lines, plain, at=at)
    yield _lie("base64 in a page", b"<html><body><pre>" + lines + b"</pre>", html, at=at)
    yield _lie("base64 for the web", base64.urlsafe_b64encode(jpeg), plain, at=at)
    yield _lie("hexadecimal", binascii.hexlify(jpeg), plain, at=at)
    yield _lie("spaced hexadecimal", binascii.hexlify(jpeg, " "), plain, at=at)
    uu = b"".join(binascii.b2a_uu(jpeg[place : place + 45]) for place in range(0, len(jpeg), 45))
    yield _lie("uuencode", b"begin 644 oven\n" + uu, plain, at=at)
    yield _lie("percent signs", b"".join(b"%%%02X" % byte for byte in jpeg[:60_000]), plain, at=at)
    yield _lie("escapes", b"".join(b"\\x%02x" % byte for byte in jpeg[:60_000]), plain, at=at)
    yield _lie("decimal numbers", b",".join(b"%d" % byte for byte in jpeg[:60_000]), plain, at=at)
    picture = b'<html><body><img src="data:image/jpeg;base64,' + letters + b'"></body></html>'
    yield _lie("only a data uri", picture, html, at=len(picture))
    yield _lie("postscript", b"%!PS-Adobe-3.0\n" + b"0 0 moveto 9 9 lineto stroke\n" * 9000, plain)
    yield _lie("rich text", b"{\\rtf1\\ansi{\\pict\\jpegblip " + binascii.hexlify(jpeg), plain)
    yield _lie("a pdf in ascii", b"%PDF-1.4\n" + b"1 0 obj << /Length 9 >> endobj\n" * 9000, html)
