"""Bring addresses to one canonical form, and make from them keys, shapes, screen forms and control addresses.

Follows the WHATWG URL standard where servers would see a difference, and RFC 3986, 6.2.2 where they would
not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import idna

from caselog.errors import IntakeError

MAX_URL_LENGTH: Final = 2083
MAX_HOST_LENGTH: Final = 253
MAX_LABEL_LENGTH: Final = 63
MAX_PORT: Final = 65535
IPV4_BITS: Final = 32
DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\ud800-\udfff]")
_SPLIT = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):[/\\]{2}([^/\\?#]*)([^?#]*)(\?[^#]*)?")
_ASCII_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.\-]*[a-z0-9_\-])?")
_IPV4_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})|%|[^\x21-\x7e]+|[\"<>\\^`{|}]")
_PLAIN = re.compile(
    r"(?:/(?!\.\.?(?:[/?]|$))[\w\-.~!$&'()*+,;=:@\[\]]*)*(?:\?[\w\-.~!$&'()*+,;=:@/?\[\]]+)?", re.ASCII
)
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class AddressError(IntakeError):
    """An address that cannot be used; the message never quotes it.

    Args:
        code: A short stable word: ``scheme no_host userinfo control_characters too_long bad_port bad_host``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"The address cannot be used ({code}).", "Correct the address and add it again.")
        self.code = code


class Parts(NamedTuple):
    """A canonical address in parts."""

    scheme: str
    host: str
    """With the port when it is not the scheme's own."""
    path: str
    query: str
    """With its question mark, or empty."""


def canonical_url(url: str) -> str:
    """Give the one form of ``url`` that is stored, compared and asked.

    Lower-case scheme and host, IDNA (UTS 46), numeric hosts dotted, no default port, dot segments resolved,
    escapes normalised, no fragment. The query keeps its order.

    Raises:
        AddressError: With a reason code; an `IntakeError`.
    """
    text = url.strip(" \t\r\n\f")
    if len(text) > MAX_URL_LENGTH:
        raise AddressError("too_long")
    scheme, authority, path, query = _split(text)
    return joined(f"{scheme}://{_canonical_authority(scheme, authority)}", path, query)


def joined(origin: str, path: str, query: str = "") -> str:
    """Give the canonical address of a path and query (with its question mark) at a canonical origin.

    Raises:
        AddressError: It is too long, or holds control characters.
    """
    local = path + query
    if local[:1] not in {"/", "\\"}:
        local = f"/{local}"
    if not _PLAIN.fullmatch(local):
        local = _canonical_local(*_cut(local))
    url = origin + local
    if len(url) > MAX_URL_LENGTH:
        raise AddressError("too_long")
    return url


def quickly_joined(origin: str, local: str) -> str | None:
    """Give what `joined` gives for a path from the root that is canonical already, None for any other."""
    if local[:1] != "/" or local[1:2] == "/" or not _PLAIN.fullmatch(local):
        return None
    url = origin + local
    return url if len(url) <= MAX_URL_LENGTH else None


def split(url: str) -> Parts:
    """Cut a canonical address into its parts."""
    scheme, _, rest = url.partition("://")
    host, slash, local = rest.partition("/")
    path, mark, query = (slash + local).partition("?")
    return Parts(scheme, host, path or "/", mark + query)


def host_key(url: str) -> str:
    """Give the key of the site: ``host`` or ``host:port``; http and https of one host are the same site.

    Raises:
        AddressError: ``url`` is neither canonical nor can be made so.
    """
    rest = url.partition("://")[2]
    return rest.partition("/")[0] if rest else split(canonical_url(url)).host


def bare_host(key: str) -> str:
    """Give the host of a site key without its port and brackets."""
    if key.startswith("["):
        return key[1:].partition("]")[0]
    return key.partition(":")[0]


def directory(url: str) -> str:
    """Give a canonical address up to the last slash of its path."""
    path_end = url.partition("?")[0]
    return path_end[: path_end.rindex("/") + 1]


# ---- the parts of a canonical address ----


def _split(text: str) -> tuple[str, str, str, str]:
    if _CONTROL.search(text.replace(" ", "")):
        raise AddressError("control_characters")
    found = _SPLIT.match(text)
    scheme = (found[1] if found else text.partition(":")[0]).lower()
    if scheme not in DEFAULT_PORTS:
        raise AddressError("scheme")
    if found is None:
        raise AddressError("no_host")
    return scheme, found[2], found[3], found[4] or ""


@lru_cache(maxsize=4096)
def _canonical_authority(scheme: str, authority: str) -> str:
    if "@" in authority:
        raise AddressError("userinfo")
    host, port = _split_port(authority)
    if not host:
        raise AddressError("no_host")
    canonical = _ipv6(host) if host.startswith("[") else _host(host)
    if not port:
        return canonical
    if (
        not (port.isascii() and port.isdigit())
        or not 0 < int(port[-6:]) <= MAX_PORT
        or len(port.lstrip("0")) > len("65535")
    ):
        raise AddressError("bad_port")
    port = port.lstrip("0")
    return canonical if port == DEFAULT_PORTS[scheme] else f"{canonical}:{port}"


def _split_port(authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, bracket, port = authority.partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise AddressError("bad_host")
        return host + bracket, port[1:]
    host, _, port = authority.partition(":")
    return host, port


def _ipv6(host: str) -> str:
    try:
        return f"[{IPv6Address(host[1:-1] if '%' not in host else '').compressed}]"
    except AddressValueError as error:
        raise AddressError("bad_host") from error


def _host(host: str) -> str:
    name = _ascii_name(host)
    labels = name.split(".")
    if _IPV4_NUMBER.fullmatch(labels[-1]):
        return _ipv4(labels)
    if len(name) > MAX_HOST_LENGTH or not all(0 < len(label) <= MAX_LABEL_LENGTH for label in labels):
        raise AddressError("bad_host")
    return name


def _ascii_name(host: str) -> str:
    """Give the lower-case ASCII form without its trailing dot (WHATWG URL, 3.5 host parsing)."""
    try:
        name = unquote_to_bytes(host).decode("utf-8") if "%" in host else host
        if not name.isascii():
            name = idna.encode(name, uts46=True, transitional=False).decode("ascii")
    except (UnicodeError, idna.IDNAError) as error:
        raise AddressError("bad_host") from error
    name = name.lower()
    if name.endswith("."):
        name = name[:-1]
    if not name:
        raise AddressError("no_host")
    if not _ASCII_HOST.fullmatch(name):
        raise AddressError("bad_host")
    return name


def _ipv4(labels: list[str]) -> str:
    """Give the dotted form of one to four numbers in any base (WHATWG URL, 3.5 IPv4 parser)."""
    if len(labels) > 4:
        raise AddressError("bad_host")
    numbers = [_ipv4_number(label) for label in labels]
    last_bits = IPV4_BITS - 8 * (len(numbers) - 1)
    if any(number > 0xFF for number in numbers[:-1]) or numbers[-1] >= 1 << last_bits:
        raise AddressError("bad_host")
    value = numbers[-1]
    for index, number in enumerate(numbers[:-1]):
        value += number << (24 - 8 * index)
    return str(IPv4Address(value))


def _ipv4_number(label: str) -> int:
    if not _IPV4_NUMBER.fullmatch(label) or len(label) > MAX_LABEL_LENGTH:
        raise AddressError("bad_host")
    try:
        if label.startswith("0x"):
            return int(label[2:] or "0", 16)
        return int(label, 8) if len(label) > 1 and label.startswith("0") else int(label)
    except ValueError as error:
        raise AddressError("bad_host") from error


def _cut(local: str) -> tuple[str, str]:
    path, mark, query = local.partition("?")
    return path, mark + query


def _canonical_local(path: str, query: str) -> str:
    path = _without_dots(_escaped(path.replace("\\", "/")))
    return path + (_escaped(query) if len(query) > 1 else "")


def _escaped(text: str) -> str:
    """Give ``text`` with unreserved escapes decoded, others in capitals (RFC 3986, 6.2.2.1, 6.2.2.2)."""
    return _ESCAPED.sub(_one_escape, text)


def _one_escape(found: re.Match[str]) -> str:
    pair = found[1]
    if pair:
        char = chr(int(pair, 16))
        return char if char in _UNRESERVED else f"%{pair.upper()}"
    return quote(found[0], safe="", errors="replace")


def _without_dots(path: str) -> str:
    """Resolve dot segments (RFC 3986, 5.2.4); empty segments stay, servers tell them apart."""
    if "/." not in path:
        return path
    out: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del out[-1:]
        elif segment != ".":
            out.append(segment)
    if segments[-1] in {".", ".."}:
        out.append("")
    return "/" + "/".join(out)


# ---- shapes and control addresses ----

_DIGITS = re.compile(r"\d+")
_HEX_ID = re.compile(r"(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[a-zA-Z][a-zA-Z0-9]{1,4}$")
_WORD_BREAK = re.compile(r"([-_.+,~!]|%20)")
_PAIRS = re.compile(r"[&;]")
_TOKEN = re.compile(r"[0-9a-f]{8,64}")
_LONG_WORD: Final = 20
_SLUG_WORDS: Final = 3
_VERB_KEYS: Final = frozenset({"action", "act", "mode", "do", "op", "cmd", "func", "view", "area", "sa"})
_PAGE_KEYS: Final = frozenset({"page", "start", "offset", "st", "from", "limit", "sid", "s", "phpsessid"})
_ABSURD_NUMBER: Final = 1_900_000_000
"""Above what any site has counted to, and still a signed 32-bit number, so that databases do not choke."""
_ABSURD_SPAN: Final = 200_000_000


def pattern(url: str) -> str:
    """Give the shape that the crawl learns by: digits as ``#``, slugs as ``*``, query keys in order of name.

    The value of a key that names an action (``mode``, ``do``) stays, because it tells pages of one script
    apart.
    """
    parts = split(url)
    path = "/".join(_segment_shape(segment) for segment in parts.path.split("/"))
    keys = sorted({_pair_shape(pair) for pair in _PAIRS.split(parts.query[1:]) if pair})
    return f"{path}?{'&'.join(keys)}" if keys else path


def _segment_shape(segment: str) -> str:
    if not segment:
        return ""
    extension = _EXTENSION.search(segment)
    stem = segment[: extension.start()] if extension else segment
    tail = _DIGITS.sub("#", extension[0]) if extension else ""
    pieces = _WORD_BREAK.split(_HEX_ID.sub("#", stem))
    words = [_DIGITS.sub("#", piece) for piece in pieces[::2]]
    worded = [word for word in words if word and "#" not in word]
    has_number = len(worded) < sum(1 for word in words if word)
    is_slug = len(worded) >= (2 if has_number else _SLUG_WORDS) or any(
        len(word) > _LONG_WORD or "%" in word for word in worded
    )
    if not is_slug:
        return "".join(word + sep for word, sep in zip(words, [*pieces[1::2], ""], strict=True)) + tail
    shape = re.sub(r"(?:\*[-_.+,~!]*)+", "*", "-".join(w if "#" in w else "*" for w in words if w))
    return shape + tail


def _pair_shape(pair: str) -> str:
    key, mark, value = pair.partition("=")
    if key.lower() in _VERB_KEYS and value.isalpha():
        return f"{key}={value}"
    return _DIGITS.sub("#", key) + mark


def sibling_probe(url: str, token: str) -> str:
    """Give a surely missing address in the same directory, of the same shape (extension, closing slash).

    Args:
        url: A canonical address; its query is left out.
        token: At least eight random hex digits.
    """
    _check_token(token)
    parts = split(url)
    head, _, last = parts.path.rpartition("/")
    if last:
        extension = _EXTENSION.search(last)
        path = f"{head}/{token}{extension[0] if extension else ''}"
    elif head:
        path = f"{head.rpartition('/')[0]}/{token}/"
    else:
        path = f"/{token}"
    return f"{parts.scheme}://{parts.host}{path}"


def query_sibling(url: str, token: str) -> str | None:
    """Give a surely missing address of the same script: its identifying value made absurd, or None.

    The first numeric value that does not page or identify a session counts, else the first value of any kind.

    Args:
        url: A canonical address, such as ``http://bread.example/viewtopic?t=12``.
        token: At least eight random hex digits.
    """
    _check_token(token)
    path, mark, query = url.partition("?")
    pieces = re.split(r"([&;])", query)
    chosen = _identifying(pieces)
    if not mark or chosen is None:
        return None
    key, _, value = pieces[chosen].partition("=")
    absurd = str(_ABSURD_NUMBER + int(token[:12], 16) % _ABSURD_SPAN)
    if value[:1].isdigit():
        pieces[chosen] = f"{key}={_DIGITS.sub(absurd, value, count=1)}"
    else:
        pieces[chosen] = f"{key}={token}"
    return f"{path}?{''.join(pieces)}"


def _identifying(pieces: list[str]) -> int | None:
    candidates = [i for i in range(0, len(pieces), 2) if "=" in pieces[i]]
    named = [i for i in candidates if pieces[i].partition("=")[0].lower() not in _PAGE_KEYS | _VERB_KEYS]
    numeric = [i for i in named if pieces[i].partition("=")[2][:1].isdigit()]
    return next(iter(numeric or named or candidates), None)


def _check_token(token: str) -> None:
    if not _TOKEN.fullmatch(token):
        raise ValueError("a probe token is 8 to 64 lower-case hex digits")
