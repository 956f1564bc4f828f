"""What may happen to a page under watch: the 46 known cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.removal_web import (
    DOWN_IP,
    EVENT_H,
    HOME_IP,
    NOT_FOUND,
    PAGE,
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


def always(_time_h: float) -> bool:
    return True


def before(_time_h: float) -> bool:
    return _time_h < EVENT_H


def during(start_h: float, end_h: float) -> Callable[[float], bool]:
    return lambda time_h: not start_h <= time_h < end_h


def name(
    then: Name, *, region: str = "", until_h: float = 1e9, after_h: float = EVENT_H
) -> Callable[[float, str], Name]:
    def resolve(time_h: float, from_region: str) -> Name:
        if after_h <= time_h < until_h and region in {"", from_region}:
            return then
        return ("ok", HOME_IP)

    return resolve


def name_until(then: Name, until_h: float) -> Callable[[float, str], Name]:
    """Make a name that resolves so from the event until this hour."""
    return name(then, until_h=until_h)


def status(status: int, body: str = NOT_FOUND, *headers: tuple[str, str]) -> Callable[[Visit], Answer]:
    return lambda _visit: Answer(status=status, body=body, headers=headers)


def to(where: str, status: int = 302) -> Answer:
    return Answer(status=status, headers=(("Location", where),))


def is_page(path: str) -> bool:
    return path in {PAGE, "/"} or (path.startswith("/p/") and path[3:].isdigit())


def soft(seed: str, body: Callable[[Visit], str]) -> Callable[[Visit], Answer]:
    """Make a site that brings this body with 200 for missing pages, and for the page after the event."""
    ordinary = site(seed)

    def answer(visit: Visit) -> Answer:
        is_missing = not is_page(visit.path) or (visit.path == PAGE and visit.is_after)
        return Answer(body=body(visit)) if is_missing else ordinary(visit)

    return answer


def until(end_h: float, then: Answer) -> Callable[[Visit], Answer | None]:
    return lambda visit: then if visit.time_h < end_h else None


def scenario(
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
    return Answer(body=LOGIN) if visit.path == "/login" else to("/login")


def _suspended_redirect(visit: Visit) -> Answer:
    return Answer(body=SUSPENDED) if visit.path.startswith("/cgi") else to("/cgi-sys/suspendedpage.cgi")


def _home_for_all(seed: str) -> Callable[[Visit], Answer]:
    ordinary = site(seed)

    def answer(visit: Visit) -> Answer:
        if visit.path == PAGE and visit.is_after:
            return to("/")
        found = ordinary(visit)
        return to("/") if found.status == 404 else found

    return answer


def edited(seed: str, share: float) -> Callable[[Visit], Answer]:
    words = post(seed).split()
    cut = int(len(words) * share)
    text = " ".join(words[:-cut] + bread("new" + seed, cut).split())
    return status(200, page(f"Starter notes {seed}", text))


def _in_region(region: str, then: Answer, seed: str) -> Callable[[Visit], Answer]:
    return everywhere(seed, lambda visit: then if visit.region == region else None)


def _here_again(seed: str, end_h: float, status: int = 404) -> Callable[[Visit], Answer]:
    there = Answer(body=page(f"Starter notes {seed}", post(seed)))
    return site(seed, lambda visit: there if visit.time_h >= end_h else Answer(status=status, body=NOT_FOUND))


def known() -> list[Scenario]:
    """Give the 46 known cases."""
    gone = Answer(status=404, body=NOT_FOUND)
    return [
        scenario("s01", site("s01"), "LIVE", always),
        scenario("s02", site("s02", status(404)), REMOVED, before),
        scenario("s03", site("s03", status(410)), REMOVED, before),
        scenario("s04", soft("s04", lambda _v: NOT_FOUND), REMOVED, before),
        scenario("s05", soft("s05", _varying), REMOVED, before),
        scenario("s06", site("s06", lambda _v: to("/")), REMOVED, before),
        scenario("s07", _home_for_all("s07"), REMOVED, before),
        scenario("s08", site("s08"), REMOVED, before, resolve=name(("nxdomain", ""))),
        scenario("s09", site("s09"), "LIVE", always, resolve=name(("servfail", ""), until_h=36)),
        scenario("s10", site("s10"), "LIVE", always, resolve=name(("ok", DOWN_IP), until_h=38)),
        scenario("s11", site("s11"), REMOVED, before, resolve=name(("ok", DOWN_IP)), needs_second=True),
        scenario("s12", everywhere("s12", until(42, Answer(act="hang"))), "LIVE", always),
        scenario(
            "s13",
            everywhere(
                "s13", until(40, Answer(status=503, body=MAINTENANCE, headers=(("Retry-After", "3600"),)))
            ),
            "LIVE",
            always,
        ),
        scenario("s14", everywhere("s14", lambda _v: Answer(body=SUSPENDED)), REMOVED, before),
        scenario("s15", everywhere("s15", _suspended_redirect), REMOVED, before),
        scenario(
            "s16",
            everywhere(
                "s16",
                lambda v: Answer(
                    body=page("This domain is parked", "buy this domain", bread("park", 30), frame=False)
                ),
            ),
            REMOVED,
            before,
            resolve=name(("ok", "198.51.100.9")),
        ),
        scenario("s17", everywhere("s17", _login_redirect), "BLOCKED", always),
        scenario("s18", everywhere("s18", lambda _v: Answer(body=LOGIN)), "BLOCKED", always),
        scenario(
            "s19",
            _in_region("own", Answer(status=451, body=page("Unavailable", "not in your region")), "s19"),
            "LIVE",
            always,
            needs_second=True,
        ),
        scenario("s20", _in_region("own", gone, "s20"), "LIVE", always, needs_second=True),
        scenario(
            "s21",
            site("s21"),
            "LIVE",
            always,
            resolve=name(("nxdomain", ""), region="own"),
            needs_second=True,
        ),
        scenario(
            "s22",
            everywhere("s22", status(403, CHALLENGE, ("cf-mitigated", "challenge"))),
            "BLOCKED",
            always,
        ),
        scenario("s23", everywhere("s23", status(200, CHALLENGE, ("Refresh", "5"))), "BLOCKED", always),
        scenario(
            "s24",
            everywhere("s24", until(39, Answer(status=522, body=page("Timed out", "origin unreachable")))),
            "LIVE",
            always,
        ),
        scenario(
            "s25",
            everywhere("s25", status(530, page("Error", "origin name error"))),
            REMOVED,
            before,
            needs_second=True,
        ),
        scenario(
            "s26", everywhere("s26", status(429, "slow down", ("Retry-After", "86400"))), "BLOCKED", always
        ),
        scenario("s27", _here_again("s27", 35), "LIVE", during(30, 35)),
        scenario("s28", _here_again("s28", 174), "REAPPEARED", during(30, 174)),
        scenario(
            "s29",
            site(
                "s29",
                lambda v: gone if int(v.time_h // 12) % 2 else Answer(body=page("Starter", post("s29"))),
            ),
            "LIVE",
            lambda time_h: time_h < EVENT_H or int(time_h // 12) % 2 == 0,
        ),
        scenario("s30", site("s30"), "LIVE+MOVED", always, resolve=name(("ok", NEW_IP))),
        scenario("s31", site("s31", lambda _v: to(f"http://s31b.example{PAGE}", 301)), "LIVE+MOVED", always),
        scenario("s32", site("s32", edited("s32", 0.15)), "LIVE", always),
        scenario("s33", site("s33", status(200, page("Model trains", bread("new", 200)))), "REVIEW", before),
        scenario(
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
            always,
        ),
        scenario(
            "s35",
            site(
                "s35",
                status(
                    200,
                    page("Starter notes s35", "this post was removed by a moderator", bread("others", 60)),
                ),
            ),
            "REMOVED|REVIEW",
            before,
        ),
        scenario("s36", site("s36", status(404, page("Starter notes s36", post("s36")))), "LIVE", always),
        scenario("s37", site("s37", status(404)), "REMOVED|LIVE", always),
        scenario("s38", everywhere("s38", until(60, Answer(body=MAINTENANCE))), "LIVE", always),
        scenario("s39", everywhere("s39", lambda _v: Answer(act="reset")), "REMOVED|UNREACHABLE", before),
        scenario("s40", site("s40", status(200, "")), "REMOVED|REVIEW", before),
        scenario("s41", site("s41", lambda _v: to(PAGE)), "REMOVED|UNREACHABLE|REVIEW", before),
        scenario("s42", site("s42"), REMOVED, before, resolve=name(("nodata", ""))),
        scenario("s43", site("s43"), "SOURCE_ALIVE", always, resolve=name(("nxdomain-alive", ""))),
        scenario("s44", everywhere("s44", status(503, "busy")), "UNREACHABLE", always),
        scenario("s45", site("s45"), "UNREACHABLE", always, resolve=name(("servfail", ""))),
        scenario(
            "s46",
            _here_again("s46", 270, 410),
            "REAPPEARED|REAPPEARED+MOVED",
            during(30, 270),
            resolve=name(("ok", NEW_IP), after_h=270),
        ),
    ]


def targets() -> list[Scenario]:
    """Give the hosts that others lead to; they are not watched themselves."""
    there = Answer(body=page("Starter notes s31", post("s31")))
    return [
        scenario(
            "s31b", lambda v: there if v.path == PAGE else Answer(status=404, body=NOT_FOUND), "", always
        ),
        scenario(
            "lander",
            lambda _v: Answer(body=page("Domain for sale", bread("lander", 60), frame=False)),
            "",
            always,
        ),
    ]
