"""What may happen to a page under watch: the known cases, and cases that the rules were not made for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.servers.removal_web import (
    DOWN_IP,
    EVENT_H,
    HOME_IP,
    NOT_FOUND,
    PAGE,
    TERM,
    Answer,
    Name,
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

NEW_IP = "203.0.113.77"
REMOVED = "REMOVED"


def _always(_time_h: float) -> bool:
    return True


def _before(_time_h: float) -> bool:
    return _time_h < EVENT_H


def _during(start_h: float, end_h: float) -> Callable[[float], bool]:
    return lambda time_h: not start_h <= time_h < end_h


def _name(
    then: Name, *, region: str = "", until_h: float = 1e9, after_h: float = EVENT_H
) -> Callable[[float, str], Name]:
    def resolve(time_h: float, from_region: str) -> Name:
        if after_h <= time_h < until_h and region in {"", from_region}:
            return then
        return ("ok", HOME_IP)

    return resolve


def _status(status: int, body: str = NOT_FOUND, *headers: tuple[str, str]) -> Callable[[Visit], Answer]:
    return lambda _visit: Answer(status=status, body=body, headers=headers)


def _to(where: str, status: int = 302) -> Answer:
    return Answer(status=status, headers=(("Location", where),))


def _is_page(path: str) -> bool:
    return path in {PAGE, "/"} or (path.startswith("/p/") and path[3:].isdigit())


def _soft(seed: str, body: Callable[[Visit], str]) -> Callable[[Visit], Answer]:
    """Make a site that brings this body with 200 for missing pages, and for the page after the event."""
    ordinary = site(seed)

    def answer(visit: Visit) -> Answer:
        is_missing = not _is_page(visit.path) or (visit.path == PAGE and visit.is_after)
        return Answer(body=body(visit)) if is_missing else ordinary(visit)

    return answer


def _until(end_h: float, then: Answer) -> Callable[[Visit], Answer | None]:
    return lambda visit: then if visit.time_h < end_h else None


def _scenario(
    name: str,
    answer: Callable[[Visit], Answer],
    verdicts: str,
    is_present: Callable[[float], bool],
    **more: Any,
) -> Scenario:
    return Scenario(
        name=name, answer=answer, verdicts=frozenset(verdicts.split("|")), is_present=is_present, **more
    )


SUSPENDED = page("Account suspended", "this account has been suspended, contact your provider", frame=False)
MAINTENANCE = page("Maintenance", "we will be back soon, thank you for waiting", frame=False)
LOGIN = page(
    "Please sign in",
    "members only",
    extra="<form action=/login method=post><input name=u><input type=password name=p></form>",
)
CHALLENGE = page("Just a moment", "checking your browser", extra="<script>go()</script>")


def _varying(visit: Visit) -> str:
    return page(
        "Nothing here",
        f"we looked for {visit.path} at {visit.time_h:.2f} and could not find it, it may have been moved",
        f"your request has the number {visit.number * 7919}, tell it to the baker if you write to us",
    )


def _login_redirect(visit: Visit) -> Answer:
    return Answer(body=LOGIN) if visit.path == "/login" else _to("/login")


def _suspended_redirect(visit: Visit) -> Answer:
    return Answer(body=SUSPENDED) if visit.path.startswith("/cgi") else _to("/cgi-sys/suspendedpage.cgi")


def _home_for_all(seed: str) -> Callable[[Visit], Answer]:
    ordinary = site(seed)

    def answer(visit: Visit) -> Answer:
        if visit.path == PAGE and visit.is_after:
            return _to("/")
        found = ordinary(visit)
        return _to("/") if found.status == 404 else found

    return answer


def _edited(seed: str, share: float) -> Callable[[Visit], Answer]:
    words = post(seed).split()
    cut = int(len(words) * share)
    text = " ".join(words[:-cut] + bread("new" + seed, cut).split())
    return _status(200, page(f"Starter notes {seed}", text))


def _in_region(region: str, then: Answer, seed: str) -> Callable[[Visit], Answer]:
    return everywhere(seed, lambda visit: then if visit.region == region else None)


def _here_again(seed: str, end_h: float, status: int = 404) -> Callable[[Visit], Answer]:
    there = Answer(body=page(f"Starter notes {seed}", post(seed)))
    return site(seed, lambda visit: there if visit.time_h >= end_h else Answer(status=status, body=NOT_FOUND))


def known() -> list[Scenario]:
    """Give the 46 known cases."""
    gone = Answer(status=404, body=NOT_FOUND)
    return [
        _scenario("s01", site("s01"), "LIVE", _always),
        _scenario("s02", site("s02", _status(404)), REMOVED, _before),
        _scenario("s03", site("s03", _status(410)), REMOVED, _before),
        _scenario("s04", _soft("s04", lambda _v: NOT_FOUND), REMOVED, _before),
        _scenario("s05", _soft("s05", _varying), REMOVED, _before),
        _scenario("s06", site("s06", lambda _v: _to("/")), REMOVED, _before),
        _scenario("s07", _home_for_all("s07"), REMOVED, _before),
        _scenario("s08", site("s08"), REMOVED, _before, resolve=_name(("nxdomain", ""))),
        _scenario("s09", site("s09"), "LIVE", _always, resolve=_name(("servfail", ""), until_h=36)),
        _scenario("s10", site("s10"), "LIVE", _always, resolve=_name(("ok", DOWN_IP), until_h=38)),
        _scenario("s11", site("s11"), REMOVED, _before, resolve=_name(("ok", DOWN_IP)), needs_second=True),
        _scenario("s12", everywhere("s12", _until(42, Answer(act="hang"))), "LIVE", _always),
        _scenario(
            "s13",
            everywhere(
                "s13", _until(40, Answer(status=503, body=MAINTENANCE, headers=(("Retry-After", "3600"),)))
            ),
            "LIVE",
            _always,
        ),
        _scenario("s14", everywhere("s14", lambda _v: Answer(body=SUSPENDED)), REMOVED, _before),
        _scenario("s15", everywhere("s15", _suspended_redirect), REMOVED, _before),
        _scenario(
            "s16",
            everywhere(
                "s16",
                lambda v: Answer(
                    body=page("This domain is parked", "buy this domain", bread("park", 30), frame=False)
                ),
            ),
            REMOVED,
            _before,
            resolve=_name(("ok", "198.51.100.9")),
        ),
        _scenario("s17", everywhere("s17", _login_redirect), "BLOCKED", _always),
        _scenario("s18", everywhere("s18", lambda _v: Answer(body=LOGIN)), "BLOCKED", _always),
        _scenario(
            "s19",
            _in_region("own", Answer(status=451, body=page("Unavailable", "not in your region")), "s19"),
            "LIVE",
            _always,
            needs_second=True,
        ),
        _scenario("s20", _in_region("own", gone, "s20"), "LIVE", _always, needs_second=True),
        _scenario(
            "s21",
            site("s21"),
            "LIVE",
            _always,
            resolve=_name(("nxdomain", ""), region="own"),
            needs_second=True,
        ),
        _scenario(
            "s22",
            everywhere("s22", _status(403, CHALLENGE, ("cf-mitigated", "challenge"))),
            "BLOCKED",
            _always,
        ),
        _scenario("s23", everywhere("s23", _status(200, CHALLENGE, ("Refresh", "5"))), "BLOCKED", _always),
        _scenario(
            "s24",
            everywhere("s24", _until(39, Answer(status=522, body=page("Timed out", "origin unreachable")))),
            "LIVE",
            _always,
        ),
        _scenario(
            "s25",
            everywhere("s25", _status(530, page("Error", "origin name error"))),
            REMOVED,
            _before,
            needs_second=True,
        ),
        _scenario(
            "s26", everywhere("s26", _status(429, "slow down", ("Retry-After", "86400"))), "BLOCKED", _always
        ),
        _scenario("s27", _here_again("s27", 35), "LIVE", _during(30, 35)),
        _scenario("s28", _here_again("s28", 174), "REAPPEARED", _during(30, 174)),
        _scenario(
            "s29",
            site(
                "s29",
                lambda v: gone if int(v.time_h // 12) % 2 else Answer(body=page("Starter", post("s29"))),
            ),
            "LIVE",
            lambda time_h: time_h < EVENT_H or int(time_h // 12) % 2 == 0,
        ),
        _scenario("s30", site("s30"), "LIVE+MOVED", _always, resolve=_name(("ok", NEW_IP))),
        _scenario(
            "s31", site("s31", lambda _v: _to(f"http://s31b.example{PAGE}", 301)), "LIVE+MOVED", _always
        ),
        _scenario("s32", site("s32", _edited("s32", 0.15)), "LIVE", _always),
        _scenario(
            "s33", site("s33", _status(200, page("Model trains", bread("new", 200)))), "REVIEW", _before
        ),
        _scenario(
            "s34",
            site(
                "s34",
                lambda v: Answer(
                    body=page(
                        "Notes", bread(f"ads{v.number}", 150), post("s34"), bread(f"new{v.number}", 300)
                    )
                ),
            ),
            "LIVE",
            _always,
        ),
        _scenario(
            "s35",
            site(
                "s35",
                _status(
                    200,
                    page("Starter notes s35", "this post was removed by a moderator", bread("others", 60)),
                ),
            ),
            "REMOVED|REVIEW",
            _before,
        ),
        _scenario("s36", site("s36", _status(404, page("Starter notes s36", post("s36")))), "LIVE", _always),
        _scenario("s37", site("s37", _status(404)), "REMOVED|LIVE", _always),
        _scenario("s38", everywhere("s38", _until(60, Answer(body=MAINTENANCE))), "LIVE", _always),
        _scenario("s39", everywhere("s39", lambda _v: Answer(act="reset")), "REMOVED|UNREACHABLE", _before),
        _scenario("s40", site("s40", _status(200, "")), "REMOVED|REVIEW", _before),
        _scenario("s41", site("s41", lambda _v: _to(PAGE)), "REMOVED|UNREACHABLE|REVIEW", _before),
        _scenario("s42", site("s42"), REMOVED, _before, resolve=_name(("nodata", ""))),
        _scenario("s43", site("s43"), "SOURCE_ALIVE", _always, resolve=_name(("nxdomain-alive", ""))),
        _scenario("s44", everywhere("s44", _status(503, "busy")), "UNREACHABLE", _always),
        _scenario("s45", site("s45"), "UNREACHABLE", _always, resolve=_name(("servfail", ""))),
        _scenario(
            "s46",
            _here_again("s46", 270, 410),
            "REAPPEARED|REAPPEARED+MOVED",
            _during(30, 270),
            resolve=_name(("ok", NEW_IP), after_h=270),
        ),
    ]


def targets() -> list[Scenario]:
    """Give the hosts that others lead to; they are not watched themselves."""
    there = Answer(body=page("Starter notes s31", post("s31")))
    return [
        _scenario(
            "s31b", lambda v: there if v.path == PAGE else Answer(status=404, body=NOT_FOUND), "", _always
        ),
        _scenario(
            "lander",
            lambda _v: Answer(body=page("Domain for sale", bread("lander", 60), frame=False)),
            "",
            _always,
        ),
    ]


# ---- cases that the rules were not made for ----------------------------------------------------------------

BOX = "<form action=/login><p>user name and pass word please</p><input type=password name=p></form>"


def _big_frame(main: str, number: int = 0) -> str:
    side = "".join(f"<p>{bread(f'side{i}', 40)}</p>" for i in range(20))
    varying = f"<p>visitor number {number} today</p>" if number else ""
    return page("The big bread board", main, extra=side + varying)


def _board(
    main: Callable[[Visit], Answer | None], *, words: int = 60, soft: bool = True
) -> Callable[[Visit], Answer]:
    """Make a site with a frame ten times longer than its posts."""

    def answer(visit: Visit) -> Answer:
        if visit.path == PAGE:
            changed = main(visit) if visit.is_after else None
            return changed or Answer(body=_big_frame(post("board", words), visit.number))
        if visit.path == "/":
            return Answer(body=_big_frame("welcome to the board, pick a room and read on", visit.number))
        return Answer(
            status=200 if soft else 404, body=_big_frame("no such post on this board", visit.number)
        )

    return answer


def _boxed(seed: str, then: Callable[[Visit], Answer], status: int) -> Callable[[Visit], Answer]:
    """Make a forum with a log-in box in the frame of every page."""

    def answer(visit: Visit) -> Answer:
        if visit.path == PAGE and visit.is_after:
            return then(visit)
        if visit.path == PAGE:
            return Answer(body=page("Starter", post(seed), extra=BOX))
        if visit.path == "/":
            return Answer(body=page("Bread forum", bread("boxed", 80), extra=BOX))
        return Answer(status=status, body=page("Not found", "no such topic on this forum", extra=BOX))

    return answer


def _recents(visit: Visit) -> str:
    side = "".join(f"<p>{bread(f'recent{i}', 250)}</p>" for i in range(20))
    return page("Oops", f"nothing at {visit.path}", extra=side)


def _thread(seed: str, first: str, replies: int = 12) -> str:
    return page("A thread about loaves", first, *(bread(f"{seed}reply{i}", 40) for i in range(replies)))


def _paged(visit: Visit) -> Answer:
    return Answer(body=page("Starter notes", "page 7 of 7", *(bread(f"paged{i}", 60) for i in range(6))))


def _blog(visit: Visit) -> Answer:
    if visit.path == "/":
        return Answer(body=page("My bread blog", post("blog"), bread("older", 200)))
    if visit.path == PAGE and visit.is_after:
        return _to("/")
    if visit.path == PAGE:
        return Answer(body=page("Starter", post("blog")))
    return Answer(status=404, body=NOT_FOUND)


def _quoting(visit: Visit) -> Answer:
    quoted = " ".join(post("quoted").split()[:30])
    lost = page("Not found", "that page is not here, but read this from our pages instead", quoted)
    if visit.path == PAGE and not visit.is_after:
        return Answer(body=page("Starter", post("quoted")))
    if visit.path == "/":
        return Answer(body=page("Bread", bread("quotedroot", 100), quoted))
    return Answer(body=lost)


def _gate(visit: Visit) -> Answer:
    gate = page(
        "Are you a baker", "please say yes to go on", extra="<form method=post><button>yes</button></form>"
    )
    if visit.path == "/gate":
        return Answer(body=gate)
    return Answer(status=302, headers=(("Location", "/gate"), ("Set-Cookie", "back=1")))


def _cookie_loop(visit: Visit) -> Answer:
    return Answer(status=302, headers=(("Location", visit.path), ("Set-Cookie", "seen=1")))


def _echoing(visit: Visit) -> Answer:
    """Repeat the words of the address: what a search page does, the rule's term included."""
    return Answer(
        body=page("Search", f"no results for {TERM} in {visit.path}, try other words", bread("tips", 20))
    )


def _echo_site(visit: Visit) -> Answer:
    if visit.path == PAGE and not visit.is_after:
        return Answer(body=page("Starter", post("echo")))
    return Answer(body=page("Bread", bread("echoroot", 90))) if visit.path == "/" else _echoing(visit)


def _everywhere_page(visit: Visit) -> Answer:
    return Answer(body=page("Starter", post("wild")))


def _redirect_error(visit: Visit) -> Answer:
    if visit.path.startswith("/error"):
        return Answer(body=page("Error", f"an error came up while {visit.path} was handled, please go back"))
    if _is_page(visit.path) and not (visit.path == PAGE and visit.is_after):
        return site("asp")(visit)
    return _to(f"/error?path={quote(visit.path)}")


def _parked_echo(visit: Visit) -> Answer:
    host = f"search for {visit.path.strip('/') or 'bread'} number {visit.number * 31}"
    return Answer(
        body=page(
            "Parked", "this name may be for sale, ask the broker for its price today", host, frame=False
        )
    )


def _same_words(visit: Visit) -> Answer:
    words = post("redesign").split()
    lines = "<br>".join(" ".join(words[i : i + 9]) for i in range(0, len(words), 9))
    return Answer(
        body=f"<html><body><div class=new><h2>Fresh look</h2><div>{lines}</div></div></body></html>"
    )


def _flapping_soft(visit: Visit) -> Answer:
    return Answer(status=404, body=NOT_FOUND) if visit.number % 2 else Answer(body=NOT_FOUND)


def _german(visit: Visit) -> str:
    asked = f"Die Adresse {visit.path} wurde auf diesem Server leider nicht gefunden."
    return page(
        "Seite nicht gefunden", asked, "Bitte pruefen Sie die Schreibweise oder gehen Sie zur Startseite."
    )


def unseen() -> list[Scenario]:
    """Give cases thought of after the rules were written."""
    shell = "<html><head><script src=/app.js></script></head><body><div id=app></div></body></html>"
    moderated = _status(200, _thread("u01", "this post was removed by a moderator"))
    return [
        _scenario(
            "u01-moderated-thread",
            lambda v: (
                moderated(v)
                if v.path == PAGE and v.is_after
                else Answer(body=_thread("u01", post("u01", 80)))
                if v.path == PAGE
                else site("u01")(v)
            ),
            "REMOVED|REVIEW",
            _before,
        ),
        _scenario(
            "u02-moderated-tail",
            lambda v: (
                Answer(
                    body=_thread(
                        "u02", "welcome, " + bread("u02", 40) + ("" if v.is_after else post("u02", 60))
                    )
                )
                if v.path == PAGE
                else site("u02")(v)
            ),
            "REMOVED|REVIEW",
            _before,
        ),
        _scenario("u03-paginated-away", site("u03", _paged), "REVIEW", _always),
        _scenario("u04-script-shell", everywhere("u04", _status(200, shell)), "BLOCKED", _always),
        _scenario(
            "u05-wildcard-parking-echo",
            everywhere("u05", _parked_echo),
            REMOVED,
            _before,
            resolve=_name(("ok", "198.51.100.7")),
        ),
        _scenario(
            "u06-parking-elsewhere",
            everywhere("u06", lambda _v: _to("http://lander.example/")),
            REMOVED,
            _before,
        ),
        _scenario("u07-cookie-loop", everywhere("u07", _cookie_loop), "BLOCKED", _always),
        _scenario("u08-cookie-gate", everywhere("u08", _gate), "BLOCKED|REVIEW", _always),
        _scenario("u09-other-language", _soft("u09", _german), REMOVED, _before),
        _scenario(
            "u10-big-frame-soft",
            _board(lambda v: Answer(body=_big_frame("no such post on this board", v.number))),
            REMOVED,
            _before,
        ),
        _scenario(
            "u11-big-frame-unknown",
            _board(lambda v: Answer(body=_big_frame("no such post on this board", v.number))),
            "REMOVED|REVIEW",
            _before,
            knows_frame=False,
        ),
        _scenario(
            "u12-big-frame-unknown-404",
            _board(lambda v: Answer(status=404, body=_big_frame("no such post", v.number)), soft=False),
            "REMOVED|REVIEW",
            _before,
            knows_frame=False,
        ),
        _scenario(
            "u13-big-frame-other-text",
            _board(lambda v: Answer(body=_big_frame(bread("another", 60), v.number))),
            "REVIEW",
            _before,
        ),
        _scenario("u14-blog-root-shows-post", _blog, "LIVE|REVIEW", _always),
        _scenario("u15-sidebar-5000-words", _soft("u15", _recents), REMOVED, _before),
        _scenario("u16-redesign", site("redesign", _same_words), "LIVE", _always),
        _scenario("u17-quoted-on-error-page", _quoting, "REMOVED|REVIEW", _before),
        _scenario("u18-error-echoes-term", _echo_site, "REMOVED|REVIEW", _before),
        _scenario("u19-every-path-shows-it", _everywhere_page, "LIVE", _always),
        _scenario("u20-error-by-redirect", _redirect_error, REMOVED, _before),
        _scenario(
            "u21-box-404",
            _boxed("u21", _status(404, page("Not found", "no such topic on this forum", extra=BOX)), 404),
            REMOVED,
            _before,
        ),
        _scenario(
            "u22-box-soft",
            _boxed("u22", _status(200, page("Not found", "no such topic on this forum", extra=BOX)), 200),
            "REMOVED|BLOCKED|REVIEW",
            _before,
        ),
        _scenario(
            "u23-members-only-thread",
            _boxed(
                "u23", _status(200, page("Log in", "you need to log in to read this room", extra=BOX)), 404
            ),
            "BLOCKED|REVIEW",
            _always,
        ),
        _scenario("u24-half-cut", site("u24", _edited("u24", 0.45)), "LIVE", _always),
        _scenario(
            "u25-cut-to-a-fifth",
            site("u25", _status(200, page("Starter", " ".join(post("u25").split()[:45])))),
            "LIVE|REVIEW",
            _always,
        ),
        _scenario(
            "u26-image-instead",
            site("u26", lambda _v: Answer(body="x" * 40, media_type="image/png")),
            "REVIEW|REMOVED",
            _before,
        ),
        _scenario(
            "u27-void-address",
            site("u27"),
            REMOVED,
            _before,
            resolve=_name(("private_address", "")),
            needs_second=True,
        ),
        _scenario("u28-missing-flaps", site("u28", _flapping_soft), REMOVED, _before),
        _scenario(
            "u29-shop-closed-home",
            everywhere("u29", lambda v: None if v.path == "/" else _to("/")),
            REMOVED,
            _before,
        ),
        _scenario(
            "u30-403-for-all-then-404",
            site("u30", lambda v: Answer(status=403 if v.time_h < 100 else 404, body=NOT_FOUND)),
            REMOVED,
            _before,
        ),
        _scenario(
            "u31-404-with-text-later",
            site("u31", lambda v: Answer(status=404, body=page("Gone?", post("u31"), bread("u31x", 40)))),
            "LIVE",
            _always,
        ),
        _scenario(
            "u32-error-500-siblings",
            lambda v: (
                Answer(body=page("Bread", bread("u32new", 120)))
                if v.path == PAGE and v.is_after
                else Answer(status=500, body="trouble")
                if not _is_page(v.path)
                else site("u32")(v)
            ),
            "REVIEW",
            _before,
        ),
        _scenario(
            "u33-nxdomain-9-hours", site("u33"), "LIVE", _always, resolve=_name(("nxdomain", ""), until_h=39)
        ),
        _scenario(
            "u34-maintenance-4-days",
            everywhere("u34", _until(126, Answer(body=MAINTENANCE))),
            "LIVE|REAPPEARED",
            _always,
        ),
        _scenario(
            "u35-short-post-soft",
            lambda v: (
                Answer(body=page("Tip", f"my {TERM} tip: rye"))
                if v.path == PAGE and not v.is_after
                else Answer(body=NOT_FOUND)
                if v.path != "/"
                else site("u35")(v)
            ),
            REMOVED,
            _before,
        ),
        _scenario(
            "u36-short-post-stays",
            lambda v: (
                Answer(body=page("Tip", f"my {TERM} tip: rye"))
                if v.path == PAGE
                else Answer(body=NOT_FOUND)
                if v.path != "/"
                else site("u36")(v)
            ),
            "LIVE",
            _always,
        ),
    ]
