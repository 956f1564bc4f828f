"""Decide what may be asked and what is text: pure, no input or output.

Three gates, each on its own data: `admit_url` before a request, `admit_headers` before a body, `TextProof` on
every decoded piece of the body. Whatever is not proven to be text is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from caselog.errors import RefusedError
from caselog.guard import may_contact
from crawler.transport.charset import (
    FALLBACKS,
    Judge,
    canonical_charset,
    charset_of_mark,
    charset_of_meta,
    guess_charset,
    judge_for,
)
from crawler.transport.disguise import DisguiseWatch, cut_data_uris

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["HeaderVerdict", "TextProof", "admit_headers", "admit_url", "cut_data_uris", "is_media_path"]

URL_LENGTH_MAX = 2083
PROVEN_BYTES = 512
"""Decoded bytes that must pass before the receive window may open."""
LOOK_BYTES = 8192
"""So many are judged at once after the first."""
TEXT_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/plain"})
# fmt: off
MEDIA_EXTENSIONS = frozenset((
    "3g2", "3gp", "7z", "aac", "ac3", "aif", "aiff", "amr", "apk", "apng", "avi", "avif", "bin", "bmp",
    "br", "bz2", "cab", "cbr", "cbz", "cr2", "cur", "deb", "dmg", "dng", "doc", "docx", "ecw", "emf",
    "eot", "eps", "epub", "exe", "f4v", "flac", "flv", "gif", "gz", "heic", "heif", "ico", "iso",
    "jar", "jfif", "jp2", "jpe", "jpeg", "jpg", "jxl", "m2ts", "m4a", "m4b", "m4p", "m4v", "mid",
    "midi", "mka", "mkv", "mobi", "mov", "mp2", "mp3", "mp4", "mpe", "mpeg", "mpg", "msi", "mts",
    "nef", "odp", "ods", "odt", "oga", "ogg", "ogv", "ogx", "opus", "otf", "pbm", "pcx", "pdf", "pgm",
    "pic", "pjpeg", "png", "pnm", "ppm", "pps", "ppt", "pptx", "ps", "psd", "qt", "ra", "ram", "rar",
    "raw", "rm", "rmvb", "rpm", "rtf", "svg", "svgz", "swf", "tar", "tga", "tgz", "tif", "tiff", "ts",
    "ttf", "vob", "wasm", "wav", "wbmp", "weba", "webm", "webp", "wma", "wmf", "wmv", "woff", "woff2",
    "xbm", "xls", "xlsx", "xpi", "xpm", "xz", "zip", "zst",
))
# fmt: on

_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_FILE_NAME = re.compile(r"filename\*?\s*=([^;]*)", re.IGNORECASE)
_LAST_LETTERS = re.compile(r"([A-Za-z0-9]{1,6})[\"']?\Z")
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s\"';,]{1,40})", re.IGNORECASE)
# Formats that are whole in ASCII, so that decoding proves nothing about them. Each comment ends at its first
# end, for good: else a row of them is cut up in all ways there are, which takes minutes.
_ASCII_FORMAT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:%PDF-\d\.\d\s*[\r\n]|%!PS(?:-Adobe-\d[^\r\n]{0,80})?[\r\n]|\{\\rtf\d?\\|"
    rb"P[1-6](?:\s|#[^\n]{0,200}\n){1,9}\d+\s+\d+\s|/\* XPM \*/|#define \w{1,60}_width \d|begin [0-7]{3} \S|"
    rb"(?:<\?xml[^>]{0,200}>\s*)?(?><!--.{0,800}?-->\s*){0,4}(?:<!DOCTYPE\s+svg[^>]{0,300}>\s*)?<(?:\w{1,8}:)?svg[\s>])",
    re.IGNORECASE | re.DOTALL,
)


class Headers(Protocol):
    """The part of a multi-valued header map that admission reads."""

    def getall(self, key: str, default: Sequence[str], /) -> Sequence[str]:
        """Give all values under ``key``, whatever its case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderVerdict:
    """What the headers say about the body; ``refused`` holds the code when it must not be read."""

    refused: str | None = None
    media_type: str | None = None
    charset: str | None = None
    is_gzip: bool = False


def admit_url(url: str, *, practice: bool) -> str | None:
    """Give ``None`` when ``url`` may be asked for, else the refusal code.

    Codes: ``scheme`` (not http or https), ``bad_url`` (user name, control character, too long, no host, bad
    port), ``media_type`` (the path names a media file), ``private_address`` (a literal the guard refuses).
    """
    if len(url) > URL_LENGTH_MAX or _CONTROL_OR_SPACE.search(url):
        return "bad_url"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "bad_url"
    if parts.scheme not in {"http", "https"}:
        return "scheme"
    host = parts.hostname or ""
    if not host or "@" in parts.netloc or port == 0:
        return "bad_url"
    if is_media_path(parts.path):
        return "media_type"
    return _admit_literal(host, practice=practice)


def is_media_path(path: str) -> bool:
    """Say whether the last part of ``path`` carries a known media extension."""
    name, dot, extension = path.rpartition("/")[2].rpartition(".")
    return bool(name and dot) and extension.lower() in MEDIA_EXTENSIONS


def _admit_literal(host: str, *, practice: bool) -> str | None:
    """Judge a host that is or looks like an IP address; names are judged by the socket they lead to."""
    last = host.rstrip(".").rpartition(".")[2]
    is_literal = ":" in host or last.isdigit() or last.startswith("0x")
    return may_contact(host, practice=practice) if is_literal else None


def admit_headers(headers: Headers, *, limit_bytes: int) -> HeaderVerdict:
    """Give the verdict over a response's headers; a missing type is left to the bytes."""
    types = list(dict.fromkeys(headers.getall("Content-Type", ())))
    media_type = types[0].partition(";")[0].strip().lower() if types else None
    if len(types) > 1 or (types and (media_type not in TEXT_TYPES or "," in types[0])):
        return HeaderVerdict(refused="media_type", media_type=_short(media_type))
    if any(_is_attachment(value) for value in headers.getall("Content-Disposition", ())):
        return HeaderVerdict(refused="attachment", media_type=media_type)
    encodings = ",".join(headers.getall("Content-Encoding", ())).strip().lower()
    if encodings not in {"", "identity", "gzip", "x-gzip"}:
        return HeaderVerdict(refused="encoding", media_type=media_type)
    if _announced(headers) > limit_bytes:
        return HeaderVerdict(refused="too_large", media_type=media_type)
    declared = _CHARSET.search(types[0]) if types else None
    return HeaderVerdict(
        media_type=media_type,
        charset=declared.group(1) if declared else None,
        is_gzip=encodings in {"gzip", "x-gzip"},
    )


def _short(media_type: str | None) -> str | None:
    """Keep a media type for the record only when it looks like one: a server may write anything there."""
    return media_type if media_type and re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,60}", media_type) else None


def _is_attachment(value: str) -> bool:
    kind = value.partition(";")[0].strip().lower()
    return kind not in {"inline", ""} or any(map(_is_media_name, _FILE_NAME.findall(value)))


def _is_media_name(name: str) -> bool:
    letters = _LAST_LETTERS.search(name.rstrip()[-8:])
    return letters is not None and letters[1].lower() in MEDIA_EXTENSIONS


def _announced(headers: Headers) -> int:
    lengths = headers.getall("Content-Length", ())
    return max((int(length[:20]) for length in lengths if length.isascii() and length.isdigit()), default=0)


class NotTextError(RefusedError):
    """The bytes are not text, or more than may be read."""


class TextProof:
    """Take a decoded body piece by piece and let only text pass.

    Charsets are tried in order: byte order mark, header, UTF-8, the page's own tag, then the legacy ones; the
    first that all bytes satisfy is the proven one. Each byte is judged once per charset: linear work. Looks
    are taken at fixed places, so that the verdict does not hang on how the network cut the body.

    Args:
        declared: The charset label of the header, if any.
        limit_bytes: The size at which reading stops with ``too_large``.
    """

    __slots__ = ("_declared", "_is_guess", "_judge", "_next", "_waiting", "_watch", "body", "limit_bytes")

    def __init__(self, declared: str | None, *, limit_bytes: int) -> None:
        self.body = bytearray()
        self._waiting = bytearray()
        self.limit_bytes = limit_bytes
        self._declared = canonical_charset(declared)
        self._watch = DisguiseWatch()
        self._judge: Judge | None = None
        self._next: Iterator[str] = iter(())
        self._is_guess = False

    @property
    def is_proven(self) -> bool:
        """Say whether enough passed to let more in at once."""
        return len(self.body) >= PROVEN_BYTES

    def feed(self, piece: bytes) -> None:
        """Keep one piece, and judge what is whole.

        Raises:
            NotTextError: ``binary`` or ``too_large``; the body kept so far is dropped.
        """
        self._waiting += piece
        if len(self.body) + len(self._waiting) > self.limit_bytes:
            raise self._refusal("too_large")
        while len(self._waiting) >= (size := self._next_look_bytes()):
            self._look(size)

    def _next_look_bytes(self) -> int:
        done = len(self.body)
        return LOOK_BYTES - done % LOOK_BYTES if done else PROVEN_BYTES

    def _look(self, size: int) -> None:
        """Judge the next bytes and keep them."""
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        self.body += piece
        self._start_or_go_on(piece)
        if len(self.body) - len(piece) < LOOK_BYTES and _ASCII_FORMAT.match(self.body):
            raise self._refusal("binary")
        if not self._watch.feed(self._narrow(piece)):
            raise self._refusal("binary")

    def finish(self) -> str:
        """Give the proven charset, as a name that Python knows.

        Raises:
            NotTextError: ``binary`` when the body ends within a character or holds only encoded media.
        """
        if self._waiting:
            self._look(len(self._waiting))
        if self._judge is None:
            return "utf-8"
        if not self._judge.finish():
            self._take_next()
        if not self._watch.finish():
            raise self._refusal("binary")
        return self._final_charset()

    def _start_or_go_on(self, piece: bytes) -> None:
        if self._judge is None:
            self._next = self._candidates()
            self._take_next()
        elif not self._judge.feed(piece):
            self._take_next()

    def _take_next(self) -> None:
        """Go to the next charset that the whole body so far satisfies."""
        for charset in self._next:
            judge = judge_for(charset)
            if judge.feed(bytes(self.body)):
                self._judge = judge
                return
        raise self._refusal("binary")

    def _candidates(self) -> Iterator[str]:
        mark = charset_of_mark(bytes(self.body[:4]))
        if mark is not None:
            yield mark
        tried = {None, mark}
        if self._declared not in tried:
            yield str(self._declared)
        tried.add(self._declared)
        if "utf-8" not in tried:
            yield "utf-8"
        meta = charset_of_meta(bytes(self.body[:4096]))
        tried |= {"utf-8", meta}
        if meta not in {None, "utf-8", mark, self._declared}:
            yield str(meta)
        self._is_guess = True
        yield from (charset for charset in FALLBACKS if charset not in tried)

    def _narrow(self, piece: bytes) -> bytes:
        """Give one byte a character of a wide charset, so that letters look like letters."""
        charset = self._judge.charset if self._judge else ""
        return piece.replace(b"\x00", b"") if charset.startswith(("utf-16", "utf-32")) else piece

    def _final_charset(self) -> str:
        charset = self._judge.charset if self._judge else "utf-8"
        if self._is_guess:
            guess = guess_charset(bytes(self.body))
            return guess if judge_for(guess).feed(bytes(self.body)) else charset
        if b"\x1b" in self.body and charset_of_meta(bytes(self.body[:4096])) == "iso2022_jp":
            return "iso2022_jp"
        return charset

    def _refusal(self, code: str) -> NotTextError:
        self.body.clear()
        self._waiting.clear()
        return NotTextError("the answer is not text", code=code)
