"""Scope: a crawl stays on its lead's host; the rest is proposed or refused, never followed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.reading.address import AddressError, canonical_url
from crawler.scope import (
    Action,
    Context,
    Scope,
    Verdict,
    judge_link,
    judge_redirect,
    propose,
    registrable_domain,
)

SCOPE = Scope(
    host_key="bread.example",
    path_prefix="/forum",
    depth=2,
    excluded=frozenset({"police.example", "court.example:8080"}),
)


@pytest.mark.parametrize(
    ("url", "depth", "code"),
    [
        ("http://police.example/", 0, "excluded"),
        ("https://www.police.example:81/", 0, "excluded"),
        ("http://court.example:8080/", 0, "excluded"),
        ("http://127.0.0.1/", 0, "private_address"),
        ("http://[::1]/", 0, "private_address"),
        ("http://192.168.0.1/", 0, "private_address"),
        ("http://localhost/", 0, "private_address"),
        ("http://x.localhost/", 0, "private_address"),
        ("http://bread.example/", 0, "outside_path"),
        ("http://bread.example/forums", 0, "outside_path"),
        ("http://bread.example/forum/a", 3, "depth"),
        ("ftp:x", 0, "scheme"),
    ],
)
def test_what_is_refused(url: str, depth: int, code: str) -> None:
    assert judge_link(SCOPE, url, depth=depth) == Verdict(action=Action.REFUSE, code=code)
    assert not SCOPE.allows(url, depth=depth)


@pytest.mark.parametrize(
    "url",
    [
        "http://www.bread.example/forum",
        "http://bread.example:8080/forum",
        "http://rye.example/",
        "http://court.example/",
    ],
)
def test_another_host_or_port_is_only_proposed(url: str) -> None:
    assert judge_link(SCOPE, url) == Verdict(action=Action.PROPOSE)


@pytest.mark.parametrize("url", ["http://bread.example/forum", "https://bread.example/forum/a?b=c"])
def test_the_leads_own_path_is_followed(url: str) -> None:
    assert judge_link(SCOPE, url, depth=2) == Verdict(action=Action.FOLLOW)


def test_practice_reaches_loopback_and_live_does_not() -> None:
    practice = Scope(host_key="127.0.0.1:8080", practice=True)
    live = Scope(host_key="127.0.0.1:8080")

    assert practice.allows("http://127.0.0.1:8080/a")
    assert not practice.allows("http://192.0.2.1/")
    assert not live.allows("http://127.0.0.1:8080/a")
    assert Scope(host_key="localhost:81", practice=True).allows("http://localhost:81/")


@pytest.mark.parametrize(
    ("target", "action", "code"),
    [
        ("http://rye.example/", Action.REFUSE, "redirect_scope"),
        ("https://www.bread.example/forum", Action.REFUSE, "redirect_scope"),
        ("http://127.1/", Action.REFUSE, "private_address"),
        ("file:///etc/hosts", Action.REFUSE, "scheme"),
        ("http://police.example/", Action.REFUSE, "excluded"),
        ("https://BREAD.example:443/forum/x", Action.FOLLOW, None),
    ],
)
def test_a_redirect_is_followed_on_the_site_only(target: str, action: Action, code: str | None) -> None:
    assert judge_redirect(SCOPE, target) == Verdict(action=action, code=code)


def test_nothing_on_the_site_or_refused_is_proposed() -> None:
    assert propose(SCOPE, "http://bread.example/forum", Context()) is None
    assert propose(SCOPE, "http://police.example/", Context()) is None


def test_a_proposal_scores_by_its_context() -> None:
    contexts = [
        Context(in_frame=True),
        Context(),
        Context(pages=3),
        Context(from_evidence=True),
        Context(from_evidence=True, matched_blocks=2),
        Context(from_evidence=True, matched_blocks=5, redirected=True, pages=9),
    ]
    found = [propose(SCOPE, "http://rye.example/", context) for context in contexts]
    scores = [proposal.score for proposal in found if proposal]

    assert scores == sorted(scores)
    assert len(set(scores)) == len(contexts)
    assert found[1] is not None
    assert found[1].reasons == ("linked",)
    assert found[5] is not None
    assert found[5].reasons == ("linked_from_evidence", "near_matches", "redirected", "linked_often")


def test_a_sister_host_is_named_as_such() -> None:
    found = propose(SCOPE, "http://www.bread.example/", Context())

    assert found is not None
    assert (found.host_key, found.reasons) == ("www.bread.example", ("same_registrable_domain",))


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.bread.example", "bread.example"),
        ("a.b.bread.test:81", "bread.test"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("localhost", "localhost"),
        ("co.uk", "co.uk"),
    ],
)
def test_the_registrable_domain(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain


@given(
    st.text(alphabet="abc./:@%\\?#[]1x ", max_size=40),
    st.sampled_from(["http://", "https://", "//", "http://bread.example"]),
)
def test_only_the_canonical_host_is_ever_followed(rest: str, head: str) -> None:
    try:
        url = canonical_url(head + rest)
    except AddressError:
        return
    verdict = judge_link(Scope(host_key="bread.example"), url)

    is_own = url.startswith(("http://bread.example/", "https://bread.example/"))
    assert (verdict.action is Action.FOLLOW) == is_own
