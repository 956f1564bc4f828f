"""What must hold for any bytes: one function a target, which raises when a property is broken.

Each takes raw bytes from the fuzzer; the first byte often chooses an option. Nothing but the errors that a
function promises may come out of it.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from types import MappingProxyType

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from caselog.errors import RefusedError
from crawler.reading.address import AddressError, canonical_url, host_key, pattern, sibling_probe
from crawler.reading.blocks import paragraphs
from crawler.reading.flatten import flatten
from crawler.reading.hrefs import PageBase, resolved
from crawler.reading.links import judge as refuses_link
from crawler.reading.links import may_follow
from crawler.reading.normalise import fold_blocks, stream
from crawler.reading.page import read_page
from crawler.reading.prescan import Weight, weigh
from crawler.robots import rules_of
from crawler.scope import Action, Scope, judge_link, judge_redirect
from crawler.transport.admission import NotTextError, TextProof, admit_headers, admit_url
from crawler.transport.charset import canonical_charset, charset_of_meta, guess_charset, judge_for
from crawler.transport.disguise import cut_data_uris
from crawler.transport.inflate import Inflater
from crawler.transport.proxy import Proxy, ProxyKind, connect_through
from tests.fuzz.answers import answers
from tests.fuzz.files import lead_files, messages, term_files
from tests.fuzz.places import places

HOME = "http://bread.example/loaf/7"
LIMIT_BYTES = 64 * 1024
CHARSETS = (
    None, "utf-8", "utf-16", "utf-16be", "windows-1251", "windows-1252", "shift_jis", "gb18030", "euc-kr",
    "big5", "iso-2022-jp", "koi8-r", "windows-874", "windows-1256", "nonsense", "utf-7",
)  # fmt: skip
PEER_WAIT_S = 2.0


class BrokenError(AssertionError):
    """A property does not hold."""


def hold(is_held: bool, what: str) -> None:
    """Raise `BrokenError` unless the property holds."""
    if not is_held:
        raise BrokenError(what)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode("utf-8", "replace")


def admitting_urls(data: bytes) -> None:
    """An admitted address leads where its text says, and never to a private address."""
    url = data.decode("utf-8", "replace")
    for practice in (False, True):
        if admit_url(url, practice=practice) is None:
            hold(url.lower().startswith(("http://", "https://")), "an admitted address is http or https")
            try:
                host = URL(url, encoded=url.isascii()).raw_host
            except ValueError:
                continue  # refused by the transport as bad_url
            hold("@" not in re.split("[/?#]", url)[2], "no user name is admitted")
            if not practice:
                hold(host not in {"127.0.0.1", "::1", "0.0.0.0", "localhost."}, "no literal home address")


def addresses(data: bytes) -> None:
    """The canonical form is stable, is what a client would contact, and is judged as the raw one is."""
    raw = data.decode("utf-8", "replace")
    try:
        url = canonical_url(raw)
    except AddressError:
        return
    hold(canonical_url(url) == url, "canonical twice is canonical")
    hold(url.isascii(), "canonical is ASCII")
    key = host_key(url)
    pattern(url)
    try:
        client = URL(url, encoded=True)
    except ValueError:
        return
    hold((client.raw_host or "") in key or f"[{client.raw_host}]" in key, "the client goes to the same host")
    if url.startswith("http") and client.path not in {"", "/"}:
        hold(host_key(sibling_probe(url, "ab12cd34ef56")) == key, "a sibling stays on the site")


def scope(data: bytes) -> None:
    """Nothing outside the lead's host is followed, whatever the spelling."""
    raw = data.decode("utf-8", "replace")
    home = Scope(host_key="bread.example", path_prefix="/loaf", excluded=frozenset({"court.example"}))
    verdict = judge_redirect(home, raw)
    if verdict.action is Action.FOLLOW:
        hold(host_key(canonical_url(raw)) == "bread.example", "only the site itself is followed")
    try:
        url = canonical_url(raw)
    except AddressError:
        return
    if judge_link(home, url).action is Action.FOLLOW:
        hold("/loaf" in url, "only what lies below the path")
    may_follow(url)


def headers(data: bytes) -> None:
    """Only the text types are let through, and only with an encoding that we decode."""
    found: CIMultiDict[str] = CIMultiDict()
    for line in data.decode("latin-1").split("\n")[:40]:
        name, _, value = line.partition(":")
        found.add(name, value.strip())
    verdict = admit_headers(found, limit_bytes=LIMIT_BYTES)
    if verdict.refused is None:
        hold(
            verdict.media_type in {None, "text/html", "text/plain", "application/xhtml+xml"},
            "only text types are admitted",
        )


def _proof(data: bytes, declared: str | None, sizes: list[int]) -> str:
    proof = TextProof(declared, limit_bytes=LIMIT_BYTES)
    at = 0
    try:
        for size in sizes:
            proof.feed(data[at : at + size])
            at += size
        proof.feed(data[at:])
        charset = proof.finish()
    except NotTextError as error:
        hold(not proof.body, "a refused body is dropped")
        return error.code
    hold(bytes(proof.body) == data, "a proven body is whole")
    bytes(proof.body).decode(charset, "replace")
    return charset


def text_proof(data: bytes) -> None:
    """The verdict over a body does not hang on how it was cut into pieces."""
    if len(data) < 3:
        return
    declared = CHARSETS[data[0] % len(CHARSETS)]
    body = data[2:]
    whole = _proof(body, declared, [])
    cut = _proof(body, declared, [1 + data[1] % 97] * (len(body) // (1 + data[1] % 97)))
    hold(whole == cut, "pieces change the verdict")


def charsets(data: bytes) -> None:
    """Labels and guesses name codecs that Python knows, and no bytes break a judge."""
    for name in (canonical_charset(data[:40].decode("latin-1")), charset_of_meta(data), guess_charset(data)):
        if name is not None:
            data.decode(name, "replace")
            judge = judge_for(name)
            if judge.feed(data[: len(data) // 2]):
                judge.feed(data[len(data) // 2 :])
            judge.finish()


def inflating(data: bytes) -> None:
    """Decoding gives bounded pieces and only promised errors."""
    inflater = Inflater()
    total = 0
    try:
        for at in range(0, len(data), 777):
            for piece in inflater.feed(data[at : at + 777]):
                hold(len(piece) <= 32 * 1024, "a piece is bounded")
                total += len(piece)
                if total > 4 * LIMIT_BYTES:
                    return
        inflater.finish()
    except (NotTextError, aiohttp.ClientPayloadError):
        return


def data_uris(data: bytes) -> None:
    """Nothing of an encoded data: address is left, and cutting twice changes nothing."""
    cut = cut_data_uris(text_of(data))
    hold(cut_data_uris(cut) == cut, "cutting twice is cutting once")


def prescan(data: bytes) -> None:
    """Each page has a weight, and a page made flat is easy to parse."""
    text = text_of(data)
    if weigh(text) is Weight.HARD:
        try:
            flat = flatten(text)
        except RefusedError:
            return
        hold(weigh(flat) is not Weight.BOMB, "a flat page is no bomb")


def pages(data: bytes) -> None:
    """Any page is read or refused; its links are canonical, and judged without an error."""
    kind = "text/plain" if data[:1] == b"p" else "text/html"
    text = text_of(data[1:])
    try:
        page = read_page(cut_data_uris(text), HOME, kind)
    except RefusedError:
        return
    for link in page.links:
        hold(canonical_url(link.url) == link.url, "links are canonical")
        refuses_link(link)
    hold(all(block.strip() for block in page.blocks), "no block is empty")
    fold_blocks(page.blocks)


def hrefs(data: bytes) -> None:
    """A link target resolves to a canonical web address or to nothing."""
    url = resolved(data.decode("utf-8", "replace"), PageBase.of(HOME))
    if url is not None:
        hold(url.startswith(("http://", "https://")), "only web addresses come out")
        hold(canonical_url(url) == url, "what comes out is canonical")


def folding(data: bytes) -> None:
    """Folding is stable: what was folded folds to itself."""
    text = text_of(data)
    folded = stream(text)
    hold(stream(folded) == folded, "folded twice is folded")
    paragraphs(text)


def robots(data: bytes) -> None:
    """No rules break the reading."""
    rules = rules_of(200, text_of(data))
    rules.allow(HOME, "Mozilla/5.0 (compatible)")
    hold(0.0 <= rules.delay_s("Mozilla/5.0 (compatible)") <= 60.0, "a wish is bounded")


def socks(data: bytes) -> None:
    """A SOCKS proxy's replies end in a connection or an error, and nothing after them is read."""
    _meet(ProxyKind.SOCKS, data, most_bytes=2 + 2 + 4 + 1 + 255 + 2)


def tunnels(data: bytes) -> None:
    """An HTTP proxy's reply ends in a connection or an error."""
    _meet(ProxyKind.HTTP, data, most_bytes=64 * 1024)


def _meet(kind: ProxyKind, data: bytes, *, most_bytes: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(_handshake(listener, kind, data, most_bytes))


async def _handshake(listener: socket.socket, kind: ProxyKind, data: bytes, most_bytes: int) -> None:
    listener.setblocking(False)  # the library's signature
    proxy = Proxy(ip="127.0.0.1", port=listener.getsockname()[1], kind=kind)
    loop = asyncio.get_running_loop()

    async def peer() -> None:
        connection, _ = await loop.sock_accept(listener)
        with connection:
            await loop.sock_sendall(connection, data)
            connection.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(connection, 4096):
                pass

    playing = loop.create_task(peer())
    try:
        async with asyncio.timeout(PEER_WAIT_S):
            guarded = await connect_through(proxy, "a" * 56 + ".onion", 80, lambda _: None)
        hold(guarded.received_bytes <= most_bytes, "no byte after the reply is read")
        guarded.close()
    except OSError:
        pass
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


TARGETS = MappingProxyType(
    {
        check.__name__: check
        for check in (
            admitting_urls, addresses, scope, headers, text_proof, charsets, inflating, data_uris, prescan,
            pages, hrefs, folding, robots, socks, tunnels, places, lead_files, term_files, messages, answers,
        )
    }
)  # fmt: skip
Check = Callable[[bytes], None]
