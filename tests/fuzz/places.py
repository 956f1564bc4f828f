"""What must hold for where an address leads: every reader of it goes to the same host, and none goes home."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from yarl import URL

from caselog.guard import may_contact
from crawler.reading.address import (
    AddressError,
    bare_host,
    canonical_url,
    host_key,
    pattern,
    query_sibling,
    sibling_probe,
    split,
)
from crawler.reading.defanged import defang
from crawler.scope import Action, Scope, judge_redirect, registrable_domain
from crawler.transport.admission import admit_url

TOKEN = "ab12cd34ef56"
SAME_VERDICT = frozenset({None, "private_address"})


class WrongPlaceError(AssertionError):
    """Two readers of one address do not agree."""


def agree(is_same: bool, what: str) -> None:
    if not is_same:
        raise WrongPlaceError(what)


def places(data: bytes) -> None:
    """Canonical form, client, standard library and guard agree on host and port."""
    raw = data.decode("utf-8", "replace")
    try:
        url = canonical_url(raw)
    except AddressError:
        return
    key, parts = host_key(url), split(url)
    agree(parts.host == key, "split and key")
    client = URL(url, encoded=True)
    agree(client.raw_host == bare_host(key), "the client's host")
    agree(client.raw_path_qs == url[len(f"{parts.scheme}://{key}") :], "the client's path")
    standard = urlsplit(url)
    agree(standard.hostname == bare_host(key), "the library's host")
    agree((standard.port or client.port) == client.port, "the port")
    _meets_the_guard(url, key)
    _same_as_raw(raw, url)
    _made_from(url, key)


def _meets_the_guard(url: str, key: str) -> None:
    verdict = admit_url(url, practice=False)
    try:
        literal = ip_address(bare_host(key))
    except ValueError:
        literal = None
    if literal is not None and may_contact(literal, practice=False) is not None:
        agree(verdict is not None, "a private literal is not admitted")
        followed = judge_redirect(Scope(host_key=key), url).action
        agree(followed is Action.REFUSE, "a private literal is out of scope")


def _same_as_raw(raw: str, url: str) -> None:
    """What the transport would do with the raw form, it does with the canonical one."""
    if admit_url(raw, practice=False) is not None:
        return
    try:
        client = URL(raw, encoded=raw.isascii())
    except ValueError:
        return
    if "%" in (client.raw_host or ""):
        return  # escapes, which the client leaves in the name: the resolver gets no such name
    host = (client.raw_host or "").rstrip(".").lower()
    try:
        wanted = host_key(canonical_url(f"http://[{host}]/" if ":" in host else f"http://{host}/"))
    except AddressError:
        return  # the resolver gets no such name
    agree(bare_host(host_key(url)) == bare_host(wanted), "raw and canonical lead to two hosts")


def _made_from(url: str, key: str) -> None:
    pattern(url)
    registrable_domain(key)
    agree("://" not in defang(url).partition("://")[2].partition("/")[0], "defanged")
    agree(not defang(url).startswith("http"), "what is shown is no link")
    probe = sibling_probe(url, TOKEN)
    agree(host_key(probe) == key, "a sibling stays on the site")
    sibling = query_sibling(url, TOKEN)
    agree(sibling is None or (host_key(sibling) == key and sibling != url), "a query sibling is another page")
