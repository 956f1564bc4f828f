"""Cases that were thought of after the rules for the known ones, and with no look at how they would go."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.servers.removal_scenarios import (
    MAINTENANCE,
    REMOVED,
    always,
    before,
    edited,
    is_page,
    name,
    scenario,
    soft,
    status,
    to,
    until,
)
from tests.servers.removal_web import (
    NOT_FOUND,
    PAGE,
    TERM,
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

BOX = "<form action=/login><p>user name and pass word please</p><input type=password name=p></form>"


def _big_frame(main: str, number: int = 0) -> str:
    side = "".join(f"<p>{bread(f'side{i}', 40)}</p>" for i in range(20))
    varying = f"<p>visitor number {number % 7} today</p>" if number else ""
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
        return to("/")
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
    if is_page(visit.path) and not (visit.path == PAGE and visit.is_after):
        return site("asp")(visit)
    return to(f"/error?path={quote(visit.path)}")


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
    moderated = status(200, _thread("u01", "this post was removed by a moderator"))
    return [
        scenario(
            "u01-moderated-thread",
            lambda v: (
                moderated(v)
                if v.path == PAGE and v.is_after
                else Answer(body=_thread("u01", post("u01", 80)))
                if v.path == PAGE
                else site("u01")(v)
            ),
            "REMOVED|REVIEW",
            before,
        ),
        scenario(
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
            before,
        ),
        scenario("u03-paginated-away", site("u03", _paged), "REVIEW", always),
        scenario("u04-script-shell", everywhere("u04", status(200, shell)), "BLOCKED", always),
        scenario(
            "u05-wildcard-parking-echo",
            everywhere("u05", _parked_echo),
            REMOVED,
            before,
            resolve=name(("ok", "198.51.100.7")),
        ),
        scenario(
            "u06-parking-elsewhere",
            everywhere("u06", lambda _v: to("http://lander.example/")),
            REMOVED,
            before,
        ),
        scenario("u07-cookie-loop", everywhere("u07", _cookie_loop), "BLOCKED", always),
        scenario("u08-cookie-gate", everywhere("u08", _gate), "BLOCKED|REVIEW", always),
        scenario("u09-other-language", soft("u09", _german), REMOVED, before),
        scenario(
            "u10-big-frame-soft",
            _board(lambda v: Answer(body=_big_frame("no such post on this board", v.number))),
            REMOVED,
            before,
        ),
        scenario(
            "u11-big-frame-unknown",
            _board(lambda v: Answer(body=_big_frame("no such post on this board", v.number))),
            "REMOVED|REVIEW",
            before,
            knows_frame=False,
        ),
        scenario(
            "u12-big-frame-unknown-404",
            _board(lambda v: Answer(status=404, body=_big_frame("no such post", v.number)), soft=False),
            "REMOVED|REVIEW",
            before,
            knows_frame=False,
        ),
        scenario(
            "u13-big-frame-other-text",
            _board(lambda v: Answer(body=_big_frame(bread("another", 60), v.number))),
            "REVIEW",
            before,
        ),
        scenario("u14-blog-root-shows-post", _blog, "LIVE|REVIEW", always),
        scenario("u15-sidebar-5000-words", soft("u15", _recents), REMOVED, before),
        scenario("u16-redesign", site("redesign", _same_words), "LIVE", always),
        scenario("u17-quoted-on-error-page", _quoting, "REMOVED|REVIEW", before),
        scenario("u18-error-echoes-term", _echo_site, "REMOVED|REVIEW", before),
        scenario("u19-every-path-shows-it", _everywhere_page, "LIVE", always),
        scenario("u20-error-by-redirect", _redirect_error, REMOVED, before),
        scenario(
            "u21-box-404",
            _boxed("u21", status(404, page("Not found", "no such topic on this forum", extra=BOX)), 404),
            REMOVED,
            before,
        ),
        scenario(
            "u22-box-soft",
            _boxed("u22", status(200, page("Not found", "no such topic on this forum", extra=BOX)), 200),
            "REMOVED|BLOCKED|REVIEW",
            before,
        ),
        scenario(
            "u23-members-only-thread",
            _boxed(
                "u23", status(200, page("Log in", "you need to log in to read this room", extra=BOX)), 404
            ),
            "BLOCKED|REVIEW",
            always,
        ),
        scenario("u24-half-cut", site("u24", edited("u24", 0.45)), "LIVE", always),
        scenario(
            "u25-cut-to-a-fifth",
            site("u25", status(200, page("Starter", " ".join(post("u25").split()[:45])))),
            "LIVE|REVIEW",
            always,
        ),
        scenario(
            "u26-image-instead",
            site("u26", lambda _v: Answer(body="x" * 40, media_type="image/png")),
            "REVIEW|REMOVED",
            before,
        ),
        scenario(
            "u27-void-address",
            site("u27"),
            REMOVED,
            before,
            resolve=name(("private_address", "")),
            needs_second=True,
        ),
        scenario("u28-missing-flaps", site("u28", _flapping_soft), REMOVED, before),
        scenario(
            "u29-shop-closed-home",
            everywhere("u29", lambda v: None if v.path == "/" else to("/")),
            REMOVED,
            before,
        ),
        scenario(
            "u30-403-for-all-then-404",
            site("u30", lambda v: Answer(status=403 if v.time_h < 100 else 404, body=NOT_FOUND)),
            REMOVED,
            before,
        ),
        scenario(
            "u31-404-with-text-later",
            site("u31", lambda v: Answer(status=404, body=page("Gone?", post("u31"), bread("u31x", 40)))),
            "LIVE",
            always,
        ),
        scenario(
            "u32-error-500-siblings",
            lambda v: (
                Answer(body=page("Bread", bread("u32new", 120)))
                if v.path == PAGE and v.is_after
                else Answer(status=500, body="trouble")
                if not is_page(v.path)
                else site("u32")(v)
            ),
            "REVIEW",
            before,
        ),
        scenario(
            "u33-nxdomain-9-hours", site("u33"), "LIVE", always, resolve=name(("nxdomain", ""), until_h=39)
        ),
        scenario(
            "u34-maintenance-4-days",
            everywhere("u34", until(126, Answer(body=MAINTENANCE))),
            "LIVE|REAPPEARED",
            always,
        ),
        scenario(
            "u35-short-post-soft",
            lambda v: (
                Answer(body=page("Tip", f"my {TERM} tip: rye"))
                if v.path == PAGE and not v.is_after
                else Answer(body=NOT_FOUND)
                if v.path != "/"
                else site("u35")(v)
            ),
            REMOVED,
            before,
        ),
        scenario(
            "u36-short-post-stays",
            lambda v: (
                Answer(body=page("Tip", f"my {TERM} tip: rye"))
                if v.path == PAGE
                else Answer(body=NOT_FOUND)
                if v.path != "/"
                else site("u36")(v)
            ),
            "LIVE",
            always,
        ),
    ]
