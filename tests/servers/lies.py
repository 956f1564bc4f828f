"""A generator of lying answers: media that says it is text."""

from __future__ import annotations

import base64
import binascii
import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers.hostile import BODY_BYTES, KB, NOISE, head, page

if TYPE_CHECKING:
    from collections.abc import Iterator


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
HIGH_NOISE = bytes(byte | 0x80 for byte in NOISE)
LOW_NOISE = bytes(byte & 0x7F for byte in NOISE)


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
