"""robots.txt: noted on each page, or obeyed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.robots import Rules, robots_url, rules_of
from tests.crawl_samples import TERM, crawl, html, outcomes, page_rows, tree, work_at
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.desk_calls import Desk
    from tests.servers.web import Reply

PLAIN = {"Content-Type": "text/plain"}
AGENT = "Mozilla/5.0 (compatible)"
FORBIDS = (200, PLAIN, b"User-agent: *\nDisallow: /loaf/2\n")


def crawled(tmp_path: Path, server: WebServer, robots: str) -> Desk:
    work = work_at(tmp_path, robots=robots, per_host=1)
    work.add_leads(server.url("/"))
    crawl(work)
    return work


def test_what_is_forbidden_is_noted_and_asked_all_the_same(tmp_path: Path) -> None:
    with WebServer({**tree(6), "/robots.txt": FORBIDS}) as server:
        work = crawled(tmp_path, server, "observe")

        said = {page.url.partition(str(server.port))[2]: page.robots for page in page_rows(work)}
        assert said.pop("/") is None
        assert said.pop("/loaf/2") == "disallowed"
        assert set(said.values()) == {"allowed"}
        assert server.all_paths[:2] == ["/", "/robots.txt"]
        assert sorted(server.all_paths) == sorted([*tree(6), "/robots.txt"])


def test_who_is_asked_for_one_page_is_asked_for_nothing_else(tmp_path: Path) -> None:
    with WebServer({**tree(1), "/robots.txt": FORBIDS}) as server:
        crawled(tmp_path, server, "observe")

        assert server.all_paths == ["/"]


def test_what_is_forbidden_is_not_asked_where_the_rules_are_obeyed(tmp_path: Path) -> None:
    with WebServer({**tree(4), "/robots.txt": FORBIDS}) as server:
        work = crawled(tmp_path, server, "obey")

        assert server.all_paths[0] == "/robots.txt"
        assert "/loaf/2" not in server.paths
        assert outcomes(work)["/loaf/2"] == "refused robots"


def test_control_pages_obey_the_rules_too(tmp_path: Path) -> None:
    pages = {"/a/b": html("a", term=TERM)}
    for rules, said in (
        (b"Disallow: /$\n", ["/robots.txt", "/a/b", "probe"]),
        (b"", ["/robots.txt", "/a/b", "probe", "/"]),
    ):
        folder = tmp_path / str(len(said))
        folder.mkdir()
        with WebServer({**pages, "/robots.txt": (200, PLAIN, b"User-agent: *\n" + rules)}) as server:
            work = work_at(folder, robots="obey", per_host=1)
            work.add_leads(server.url("/a/b"))
            crawl(work)

            known = {*pages, "/robots.txt", "/"}
            assert [path if path in known else "probe" for path in server.all_paths] == said


def test_rules_that_could_not_be_had_are_asked_for_again(tmp_path: Path) -> None:
    first = iter([(500, PLAIN, b"")])
    routes = {**tree(3), "/robots.txt": lambda _: next(first, FORBIDS)}
    with WebServer(routes) as server:
        work = crawled(tmp_path, server, "obey")

        assert server.all_paths[:3] == ["/robots.txt", "/robots.txt", "/"]
        assert outcomes(work)["/loaf/2"] == "refused robots"


@pytest.mark.parametrize(
    "reply",
    [
        (404, PLAIN, b"User-agent: *\nDisallow: /\n"),
        (403, PLAIN, b""),
        (200, {"Content-Type": "image/png"}, b"\x89PNG\r\n\x1a\n"),
        (301, {"Location": "/robots.txt"}, b""),
        (301, {"Location": "http://127.0.0.9/robots.txt"}, b""),
    ],
)
def test_rules_that_are_not_available_forbid_nothing(tmp_path: Path, reply: Reply) -> None:
    with WebServer({**tree(2), "/robots.txt": reply}) as server:
        work = crawled(tmp_path, server, "obey")

        assert set(outcomes(work).values()) == {"text"}


def test_rules_behind_a_redirect_on_the_site_are_read(tmp_path: Path) -> None:
    moved = (302, {"Location": "/rules.txt"}, b"")
    with WebServer({**tree(4), "/robots.txt": moved, "/rules.txt": FORBIDS}) as server:
        work = crawled(tmp_path, server, "obey")

        assert outcomes(work)["/loaf/2"] == "refused robots"


def test_rules_that_cannot_be_reached_forbid_everything_for_now() -> None:
    assert rules_of(503, "").is_unreachable
    assert not rules_of(404, "").is_unreachable


@pytest.mark.parametrize(
    ("wish", "seconds"), [("5", 5.0), ("0.5", 0.5), ("9999", 60.0), ("-1", 0.0), ("x", 0.0)]
)
def test_a_crawl_delay_is_a_bounded_wish(wish: str, seconds: float) -> None:
    rules = rules_of(200, f"User-agent: *\nCrawl-delay: {wish}\n")

    assert rules.delay_s(AGENT) == seconds


def test_the_rules_of_a_page_stand_at_the_root_of_its_host() -> None:
    assert robots_url("http://bread.example:8080/a/b?c#d") == "http://bread.example:8080/robots.txt"
    assert Rules().allow("http://bread.example/", AGENT)


@given(text=st.text(max_size=400), url=st.text(max_size=80))
def test_no_rules_and_no_address_break_the_reading(text: str, url: str) -> None:
    rules = rules_of(200, f"User-agent: *\nDisallow: /{text}\n{text}")

    assert rules.allow(f"http://bread.example/{url}", AGENT) in {True, False}
    assert 0.0 <= rules.delay_s(AGENT) <= 60.0
