"""Harder things that may happen to a page under watch, thought of last; not all of them can be told apart."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.servers.removal_scenarios import NEW_IP, REMOVED, always, before, during, name_until, scenario
from tests.servers.removal_web import (
    DOWN_IP,
    NOT_FOUND,
    PAGE,
    Answer,
    Scenario,
    Visit,
    bread,
    everywhere,
    page,
    post,
    site,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_ALIKES = str.maketrans({"a": "\u0430", "e": "\u0435", "o": "\u043e", "c": "\u0441", "p": "\u0440"})
_GONE = Answer(status=404, body=NOT_FOUND)


def _only(path: str, then: Answer, otherwise: Callable[[Visit], Answer]) -> Callable[[Visit], Answer]:
    return lambda visit: then if visit.path == path else otherwise(visit)


def _soft_site(
    seed: str, lost: Callable[[Visit], Answer], *, home: Answer | None = None
) -> Callable[[Visit], Answer]:
    """Make a site where missing pages, and the watched one after the event, get the same treatment."""
    ordinary = site(seed)

    def answer(visit: Visit) -> Answer:
        if home is not None and visit.path == "/":
            return home
        found = ordinary(visit)
        is_lost = found.status == 404 or (visit.path == PAGE and visit.is_after)
        return lost(visit) if is_lost else found

    return answer


def _shuffled(visit: Visit) -> Answer:
    side = "".join(f"<p>{bread(f'tip{visit.number}-{i}', 30)}</p>" for i in range(10))
    return Answer(body=page("Not here", "we have no such page, maybe you like one of these", extra=side))


def _reference(visit: Visit) -> Answer:
    token = f"{random.Random(visit.number).getrandbits(256):064x}"
    return Answer(
        body=page("Sorry", f"no page at {visit.path}", f"ref {token} {visit.time_h:.3f}", frame=False)
    )


def _renamed(seed: str) -> Callable[[Visit], Answer]:
    there = Answer(body=page("Starter notes", post(seed)))
    moved = Answer(status=301, headers=(("Location", "/posts/1-notes"),))
    ordinary = site(seed, lambda _visit: moved)
    return lambda v: there if v.path == "/posts/1-notes" and v.is_after else ordinary(v)


def _with_gaps(seed: str) -> str:
    words = post(seed).split()
    return " ".join(f"{word} well" if i % 12 == 5 else word for i, word in enumerate(words))


def _by_turns(first: Answer, second: Answer) -> Callable[[Visit], Answer]:
    return lambda visit: first if visit.number % 2 else second


def _later_404(until_h: float, before_that: Answer) -> Callable[[Visit], Answer | None]:
    def then(visit: Visit) -> Answer | None:
        if visit.time_h < until_h:
            return before_that
        return _GONE if visit.path == PAGE else None

    return then


def hard() -> list[Scenario]:
    """Give the hard cases, with the one verdict that a person would give, or the state that asks a person."""
    script = "<script>count()</script>"
    abroad = Answer(body=page("Sorry", "this site is not offered where you are", frame=False))
    quoted = page("Thread", "this post was removed", f"baker wrote: {post('h13')}", bread("h13r", 60))
    grown = page("Starter", post("h14"), *(bread(f"h14c{i}", 150) for i in range(25)))
    disguised = post("h16").translate(_LOOK_ALIKES).upper()
    jumped = "<html><head><script>location='/lander'</script></head><body></body></html>"
    lost_script = page("Not found", "the page is not here", extra=script, frame=False)
    shout = Answer(status=429, body="slow down")
    there = Answer(body=page("Starter notes h21", post("h21")))
    challenge = Answer(status=403, body="wait", headers=(("cf-mitigated", "challenge"),))
    return [
        scenario(
            "h01-soft-with-counter-script",
            _soft_site("h01", lambda _v: Answer(body=lost_script)),
            REMOVED,
            before,
        ),
        scenario("h02-renamed-path", _renamed("h02"), "LIVE", always),
        scenario("h03-404-or-429-by-turns", site("h03", _by_turns(_GONE, shout)), REMOVED, before),
        scenario("h04-shuffled-tips", _soft_site("h04", _shuffled), "REMOVED|REVIEW", before),
        scenario("h05-long-reference", _soft_site("h05", _reference), "REMOVED|REVIEW", before),
        scenario(
            "h06-tombstone",
            site("h06", lambda _v: Answer(body=page("Gone", "the writer took this page down"))),
            "REMOVED|REVIEW",
            before,
        ),
        scenario(
            "h07-home-text-for-missing",
            _soft_site(
                "h07",
                lambda _v: Answer(body=page("Home of bread", bread("h07home", 80))),
                home=Answer(body=page("Home of bread", bread("h07home", 80))),
            ),
            REMOVED,
            before,
        ),
        scenario(
            "h08-home-text-for-this-page",
            site("h08", lambda _v: Answer(body=page("Home of bread", bread("rooth08", 80)))),
            "REMOVED|REVIEW",
            before,
        ),
        scenario(
            "h09-503-two-days-then-404",
            everywhere("h09", _later_404(78, Answer(status=503, body="busy"))),
            REMOVED,
            before,
        ),
        scenario("h10-down-four-days", site("h10"), "LIVE", always, resolve=name_until(("ok", DOWN_IP), 126)),
        scenario(
            "h11-down-six-days",
            site("h11"),
            "LIVE|REAPPEARED",
            during(30, 174),
            resolve=name_until(("ok", DOWN_IP), 174),
        ),
        scenario(
            "h12-json-instead",
            site("h12", lambda _v: Answer(body='{"error": 1}', media_type="application/json")),
            "REMOVED|REVIEW",
            before,
        ),
        scenario("h13-quoted-by-a-reply", site("h13", lambda _v: Answer(body=quoted)), "LIVE", always),
        scenario("h14-thread-grown", site("h14", lambda _v: Answer(body=grown)), "LIVE", always),
        scenario(
            "h15-words-put-in",
            site("h15", lambda _v: Answer(body=page("S", _with_gaps("h15")))),
            "LIVE",
            always,
        ),
        scenario("h16-disguised", site("h16", lambda _v: Answer(body=page("S", disguised))), "LIVE", always),
        scenario(
            "h17-parking-by-script",
            everywhere("h17", lambda _v: Answer(body=jumped)),
            "REMOVED|REVIEW|BLOCKED",
            before,
            resolve=name_until(("ok", NEW_IP), 1e9),
        ),
        scenario("h18-abroad-blocked", everywhere("h18", lambda _v: abroad), "BLOCKED|REVIEW", always),
        scenario(
            "h19-abroad-blocked-for-one",
            everywhere("h19", lambda v: abroad if v.region == "own" else None),
            "LIVE",
            always,
        ),
        scenario(
            "h20-404-for-one-check-for-other",
            site("h20", lambda v: _GONE if v.region == "own" else challenge),
            "BLOCKED|SUSPECT|REVIEW",
            always,
        ),
        scenario("h21-challenge-by-turns", site("h21", _by_turns(challenge, there)), "LIVE", always),
        scenario(
            "h22-first-lines-on-404",
            site("h22", lambda _v: Answer(status=404, body=page("Gone", " ".join(post("h22").split()[:70])))),
            "REMOVED|REVIEW",
            before,
        ),
        scenario(
            "h23-root-gone-too",
            everywhere("h23", lambda _v: Answer(status=404, body="")),
            REMOVED,
            before,
        ),
        scenario(
            "h24-listing-of-folder",
            _only(
                "/",
                Answer(body="<html><body><h1>Index of /</h1></body></html>"),
                site("h24", lambda _v: _GONE),
            ),
            REMOVED,
            before,
        ),
    ]
