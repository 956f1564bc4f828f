"""Say which addresses belong to a confirmed lead: may be followed, only proposed, or refused.

A crawl stays on the canonical host of its lead. Everything else becomes a proposal for a person, never a
request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from tldextract import TLDExtract

from caselog.guard import PRIVATE_ADDRESS, may_contact
from crawler.reading.address import AddressError, bare_host, canonical_url, host_key, split

REDIRECT_SCOPE: Final = "redirect_scope"
EXCLUDED: Final = "excluded"
DEPTH: Final = "depth"
OUTSIDE_PATH: Final = "outside_path"
SCHEME: Final = "scheme"
_MOST_NEAR: Final = 3


class Action(StrEnum):
    """What may be done with an address."""

    FOLLOW = "follow"
    PROPOSE = "propose"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be done with an address, and the code when it is refused."""

    action: Action
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one confirmed lead allows."""

    host_key: str
    """Canonical ``host[:port]``."""
    path_prefix: str | None = None
    """Only this path and what lies below it."""
    depth: int = 6
    """Most links between the lead and a page."""
    practice: bool = False
    excluded: frozenset[str] = frozenset()
    """Hosts that are never contacted, with or without port; their subdomains neither."""

    def allows(self, url: str, *, depth: int = 0) -> bool:
        """Say whether a canonical address may be followed."""
        return judge_link(self, url, depth=depth).action is Action.FOLLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a link off the site was found."""

    from_evidence: bool = False
    """The page matched the operator's rules."""
    matched_blocks: int = 0
    """How many blocks of the page matched."""
    in_frame: bool = False
    """The link stands on the site's control pages as well."""
    redirected: bool = False
    """The site sent the request there by itself."""
    pages: int = 1
    """How many pages of the site link there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An address off the site for a person to judge."""

    url: str
    host_key: str
    score: float
    """How likely it is related, 0 to 1."""
    reasons: tuple[str, ...]


def judge_link(scope: Scope, url: str, *, depth: int = 0) -> Verdict:
    """Say what may be done with a canonical address found ``depth`` links away from the lead."""
    try:
        host = host_key(url)
    except AddressError as error:
        return _refused(error.code)
    code = _never(scope, host)
    if code is None and host != scope.host_key:
        return Verdict(action=Action.PROPOSE)
    if code is None and not _is_below(split(url).path, scope.path_prefix):
        code = OUTSIDE_PATH
    if code is None and depth > scope.depth:
        code = DEPTH
    return _refused(code) if code else Verdict(action=Action.FOLLOW)


def _never(scope: Scope, host: str) -> str | None:
    if is_excluded(host, scope.excluded):
        return EXCLUDED
    return PRIVATE_ADDRESS if _is_private(host, practice=scope.practice) else None


def judge_redirect(scope: Scope, target: str, *, depth: int = 0) -> Verdict:
    """Say whether a redirect may be followed: only on the site itself; http and https are the same site.

    Any other target is refused as ``redirect_scope``, and may be proposed unless its code says otherwise.
    """
    try:
        url = canonical_url(target)
    except AddressError as error:
        return _refused(error.code)
    verdict = judge_link(scope, url, depth=depth)
    return _refused(REDIRECT_SCOPE) if verdict.action is Action.PROPOSE else verdict


def propose(scope: Scope, url: str, context: Context) -> Proposal | None:
    """Give the proposal for an address off the site, or None when it may not even be proposed."""
    if judge_link(scope, url).action is not Action.PROPOSE:
        return None
    host = host_key(url)
    weights = {
        "linked_from_evidence": 0.3 * context.from_evidence,
        "near_matches": 0.1 * min(context.matched_blocks, _MOST_NEAR) * (not context.in_frame),
        "same_registrable_domain": 0.2 * is_related(host, scope.host_key),
        "redirected": 0.4 * context.redirected,
        "linked_often": 0.1 * (context.pages >= _MOST_NEAR and not context.in_frame),
    }
    score = 0.1 + sum(weights.values()) - 0.1 * context.in_frame
    reasons = tuple(name for name, weight in weights.items() if weight) or ("linked",)
    return Proposal(url=url, host_key=host, score=round(min(1.0, max(0.0, score)), 3), reasons=reasons)


def is_excluded(host: str, excluded: frozenset[str]) -> bool:
    """Say whether a site key, its host on any port, or a parent domain of it is excluded."""
    if not excluded:
        return False
    bare = bare_host(host)
    if host in excluded or bare in excluded:
        return True
    labels = bare.split(".")
    return any(".".join(labels[i:]) in excluded for i in range(1, len(labels)))


def is_related(one: str, other: str) -> bool:
    """Say whether two site keys belong to one registrable domain."""
    return registrable_domain(one) == registrable_domain(other)


def registrable_domain(key: str) -> str:
    """Give the domain that somebody registered, private suffixes such as blog platforms included.

    Literal addresses and names without a dot stand for themselves; an unknown top level counts as a suffix.
    """
    host = bare_host(key)
    found = _extractor()(host)
    if found.top_domain_under_public_suffix:
        return found.top_domain_under_public_suffix
    if found.ipv4 or found.ipv6 or found.suffix:
        return host
    return ".".join(host.split(".")[-2:])


@cache
def _extractor() -> TLDExtract:
    """Give the extractor over its own snapshot: it never asks the network and keeps no cache."""
    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


def _refused(code: str) -> Verdict:
    return Verdict(action=Action.REFUSE, code=code)


def _is_below(path: str, prefix: str | None) -> bool:
    if not prefix or prefix == "/":
        return True
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _is_private(key: str, *, practice: bool) -> bool:
    """Say whether a literal address may not be contacted; names are judged by the socket they lead to."""
    bare = bare_host(key)
    if bare == "localhost" or bare.endswith(".localhost"):
        return not practice
    is_literal = key.startswith("[") or bare.rpartition(".")[2].isdigit()
    return is_literal and may_contact(bare, practice=practice) is not None
