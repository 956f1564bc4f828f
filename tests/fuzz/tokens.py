"""What each target's inputs are made of: for the guide's dictionary, for pumped inputs and for Hypothesis."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    import random

PUMPED_BYTES = 60_000

MARKUP = (
    "<", ">", "</", "<!--", "-->", "<!", "<?", "<a ", "<a href=", '"', "'", "=", "/", "<p>", "</p>",
    "<b>", "<table>", "<td>", "<svg>", "<math>", "<script>", "</script", "<style>", "<title>",
    "<textarea>", "<![CDATA[", "]]>", "&", "&amp;", "&#x41;", "data:", ";", ",", " ", "\n", "a",
    "é", "\u0301", "א", "丂", "%41", "http://", "?", "#", "<base href=", "<link rel=canonical href=",
    "<meta ", "charset=", "<noscript>", "<template>", "<frameset>", "<select>", "<option>",
    "<iframe src=x>", "</div>", "<form>", "<input ", "<plaintext>", "\0", "<nobr>", "<button>", "ﷺ",
    "İ", "<!doctype html>", "<area href=x>", "rel=next ",
)  # fmt: skip
PLACE = (
    "http://", "https://", "/", "//", ".", "..", "/../", "/./", "%", "%2e", "%41", "?", "&", ";",
    "=", "#", ":", "@", "[", "]", "a", "A", "-", "_", "0", "0x", "127.0.0.1", "::1", "é", "\u0301",
    "xn--", "丂", "。", "\\", " ", "\t", "|", "^", "{", "a1", ".example", ".onion", ":80", ":0080",
    "t=12", "action=", ".html", "ß", "\u200d",
)  # fmt: skip
TEXT = (
    "<", ">", "<!--", "-->", "<?xml ", "<svg", " ", "\n", "\r\n", "\t", "a", "M", "\nM", "=", "%",
    "41 ", "0x", "data:", "base64", ";", "/", "<script>", "</script", "<meta charset=", "utf-16",
    "\0", "\x1a", "\x1b$B", "é", "丂", "\xa0", "<!doctype svg ", "ﬃ", "\u1100", "가", "\u0f71",
    "\u0315", "\U0001f1e6", "ǆ", "\ue000", "\ufdd0",
)  # fmt: skip
LINES = (
    "HTTP/1.1 200 OK\r\n", "HTTP/1.0 404 \r\n", "HTTP/1.1 100 \r\n", "Content-Type: ", "text/html",
    "text/plain", "; charset=", "utf-8", "Content-Disposition: ", "inline; ", "filename=",
    "filename*=", '"', "'", "oven.jpg", "Content-Encoding: ", "gzip", "Content-Length: ", "9",
    "Transfer-Encoding: ", "chunked", ":", ";", ",", " ", "\r\n", "\n", "\r", "0\r\n\r\n",
    "5\r\nbread\r\n", "Date: ", "Location: /\r\n", "\0", "\x1f\x8b\x08", "a",
)  # fmt: skip
RULES = (
    "User-agent: *\n", "Disallow: ", "Allow: ", "/", "*", "$", "/*", "a", "%41", "é", "#",
    "Crawl-delay: ", "1", "e9", "nan", "-", "Sitemap: ", "\n", "\r", ":", " ",
)  # fmt: skip
ROWS = (
    "url,report\n", "id,term,weight,kind\n", "http://bread.example/", ",", ";", "\t", '"', '""',
    "\n", "\r\n", "\r", "{", "}", "[", "]", ":", "\\u0000", "\\ud800", "null", "1e999", "nan",
    '"url":', '"term":', "\ufeff", "\0", "#", "2026-01-02", "T03:04", "word", "phrase", "é", "=",
    "[[[[[[[[",
)  # fmt: skip
BYTES = ("\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\x10", "\xff", "\xf0", "\x1f\x8b\x08\x00", "a")

TOKENS = MappingProxyType(
    {
        "admitting_urls": PLACE, "addresses": PLACE, "scope": PLACE, "places": PLACE, "hrefs": PLACE,
        "headers": LINES, "answers": LINES, "tunnels": LINES, "text_proof": TEXT, "charsets": TEXT,
        "folding": TEXT, "data_uris": MARKUP, "prescan": MARKUP, "pages": MARKUP, "robots": RULES,
        "lead_files": ROWS, "term_files": ROWS, "messages": ROWS, "inflating": BYTES, "socks": BYTES,
    }
)  # fmt: skip
RAW = frozenset({"inflating", "socks", "headers", "answers", "tunnels"})
"""Targets whose tokens stand for single bytes."""


def spelled(name: str, text: str) -> bytes:
    """Give the bytes that stand for ``text`` in a target's inputs."""
    return text.encode("latin-1" if name in RAW else "utf-8")


def pumped(name: str, dice: random.Random) -> bytes:
    """Give a long row of one small unit, which shows work that grows faster than the input."""
    tokens = TOKENS[name]
    start, unit, end = ("".join(dice.choices(tokens, k=dice.randint(least, 3))) for least in (0, 1, 0))
    again = PUMPED_BYTES // len(spelled(name, unit))
    option = bytes([dice.randrange(256) for _ in range(dice.randint(0, 2))])
    return option + spelled(name, start + unit * again + end)


def dictionary(name: str) -> str:
    """Give the tokens as a dictionary for libFuzzer."""
    words = {"".join(f"\\x{byte:02x}" for byte in spelled(name, token)) for token in TOKENS[name]}
    return "".join(f'"{word}"\n' for word in sorted(words))


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Give a target's inputs for Hypothesis: tokens, and now and then other bytes."""
    known = st.sampled_from(TOKENS[name]).map(lambda token: spelled(name, token))
    return st.lists(known | st.binary(max_size=4), max_size=40).map(b"".join)
