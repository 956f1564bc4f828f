"""The practice forum `forum.crumb.example`: what it answers for each path.

It has what makes forums hard to crawl: lists and threads over several pages, several addresses for one
page, links that change something, an endless calendar, a log-in wall, posts inside noscript.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from desk.practice import forum_frame as frame
from desk.practice.answer import Answer, Ask, Kind, Style, document, missing, page, picture, redirect
from desk.practice.library import BOARDS, MEMBERS, is_members_only

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from desk.practice.library import Library, Thread

CHANGES = frozenset({"/like", "/report", "/logout", "/reply", "/mark-read"})
SORTS = ("oldest", "liked")
_ROUTES = (
    (re.compile(r"/t/(\d+)(?:-[a-z0-9-]*)?"), "thread"),
    (re.compile(r"/t/(\d+)-[a-z0-9-]*/print"), "printed"),
    (re.compile(r"/t/\d+-[a-z0-9-]*/mark-read"), "change"),
    (re.compile(r"/board/(\d+)(?:-[a-z]*)?"), "board"),
    (re.compile(r"/post/(\d+)"), "post"),
    (re.compile(r"/member/(\d+)"), "member"),
    (re.compile(r"/calendar/(\d{4})/(\d{1,2})(?:/(\d{1,2}))?"), "calendar"),
    (re.compile(r"/(?:avatar|pictures)/(\d+|logo)(?:-small)?\.png"), "media"),
)
_NEIGHBOURS = "mirror.crust.example", "paste.starter.example", "www.loaf.example"


class Forum:
    """The forum over a library, without the threads in `removed`; nothing in it changes."""

    def __init__(
        self, library: Library, *, removed: AbstractSet[int] = frozenset(), style: Style = Style.NOT_FOUND
    ):
        self._style = style
        self._library = library
        self._present = tuple(thread for thread in library.threads if thread.number not in removed)
        self._public = tuple(thread for thread in self._present if not is_members_only(thread))

    def answer(self, ask: Ask) -> Answer:
        """Give the forum's answer to one request."""
        if ask.path in CHANGES:
            return self._change(ask)
        fixed = {"/": self._index, "/login": self._login, "/register": self._login, "/search": self._search}
        if ask.path in fixed:
            return fixed[ask.path](ask)
        for pattern, name in _ROUTES:
            if found := pattern.fullmatch(ask.path):
                return self._route(
                    name, ask, [int(part) for part in found.groups() if part and part.isdigit()]
                )
        return self._missing(ask)

    def _route(self, name: str, ask: Ask, numbers: list[int]) -> Answer:
        if name == "media":
            return picture(numbers[0] if numbers else 0)
        if name == "change":
            return self._change(ask)
        if name == "calendar":
            return self._calendar(ask, numbers)
        views = {
            "thread": self._thread,
            "printed": self._printed,
            "board": self._board,
            "post": self._post,
            "member": self._member,
        }
        return views[name](ask, numbers[0])

    def _framed(self, ask: Ask, title: str, body: str) -> Answer:
        return page(frame.frame(ask, title, body, self._public[-5:]))

    def _missing(self, ask: Ask) -> Answer:
        words = "<p>There is no such page here. It may have gone, or it was never baked.</p>"
        return missing(self._style, "/", frame.frame(ask, "Nothing here", words, self._public[-5:]))

    def _change(self, ask: Ask) -> Answer:
        """Answer a link that changes something for a member; strangers are sent to the log-in."""
        return redirect(f"/login?next={ask.path}", kind=Kind.CHANGE)

    def _index(self, ask: Ask) -> Answer:
        rows = "".join(
            f'<li><a href="{frame.board_path(number)}">{escape(title)}</a> '
            f"<small>{sum(thread.board == number for thread in self._present)} threads</small></li>"
            for number, (_, title, _) in enumerate(BOARDS, 1)
        )
        links = "".join(f'<li><a href="http://{host}:{ask.port}/">{host}</a></li>' for host in _NEIGHBOURS)
        return self._framed(ask, "Boards", f"<ul>{rows}</ul><h2>Elsewhere</h2><ul>{links}</ul>")

    def _login(self, ask: Ask) -> Answer:
        onward = escape(ask.query.get("next", "/"), quote=True)
        form = (
            "<p>Please log in to go on.</p>"
            f'<form method="post" action="/login"><input type="hidden" name="next" value="{onward}">'
            '<p><label>Name <input name="name"></label> <label>Password '
            '<input type="password" name="password"></label> <button>Log in</button></p></form>'
        )
        return self._framed(ask, "Log in", form)

    def _board(self, ask: Ask, number: int) -> Answer:
        if not 0 < number <= len(BOARDS):
            return self._missing(ask)
        if BOARDS[number - 1][2]:
            return redirect(f"/login?next={ask.path}")
        threads = [thread for thread in reversed(self._present) if thread.board == number]
        count = frame.page_count(len(threads), frame.THREADS_PER_PAGE)
        current = ask.number("page")
        if not 0 < current <= count:
            return self._missing(ask)
        shown = threads[(current - 1) * frame.THREADS_PER_PAGE : current * frame.THREADS_PER_PAGE]
        pages = frame.pager([frame.board_path(number, one) for one in range(1, count + 1)], current)
        mark = f'<p><a href="/mark-read?board={number}">Mark board read</a></p>'
        return self._framed(ask, BOARDS[number - 1][1], f"{pages}{frame.thread_rows(shown)}{pages}{mark}")

    def _find(self, number: int) -> Thread | None:
        return next((thread for thread in self._present if thread.number == number), None)

    def _thread(self, ask: Ask, number: int) -> Answer:
        thread = self._find(number)
        current = ask.number("page")
        if thread is None:
            return self._missing(ask)
        if is_members_only(thread):
            return self._login(ask)
        count = frame.page_count(len(thread.posts), frame.POSTS_PER_PAGE)
        if ask.path != f"/t/{thread.slug}":
            return redirect(frame.thread_path(thread, current), status=301)
        if not 0 < current <= count:
            return self._missing(ask)
        return self._framed(
            ask, thread.title, _thread_body(thread, current, count, ask.query.get("sort", ""))
        )

    def _printed(self, ask: Ask, number: int) -> Answer:
        thread = self._find(number)
        if thread is None:
            return self._missing(ask)
        if is_members_only(thread):
            return self._login(ask)
        posts = "".join(
            f"<h2>{MEMBERS[post.author - 1]}</h2>"
            + "".join(f"<p>{escape(part)}</p>" for part in post.paragraphs)
            for post in thread.posts
        )
        return page(document(thread.title, f"<h1>{escape(thread.title)}</h1>{posts}"))

    def _post(self, ask: Ask, number: int) -> Answer:
        found = self._library.find_post(number)
        if found is None or self._find(found[0].number) is None:
            return self._missing(ask)
        thread, place = found
        return redirect(f"{frame.thread_path(thread, place // frame.POSTS_PER_PAGE + 1)}#p{number}")

    def _member(self, ask: Ask, number: int) -> Answer:
        if not 0 < number <= len(MEMBERS):
            return self._missing(ask)
        begun = [thread for thread in self._public if thread.posts[0].author == number]
        picture_of = f'<p><img src="/avatar/{number}.png" alt=""> Bakes since 20{9 + number}.</p>'
        return self._framed(
            ask, MEMBERS[number - 1], f"{picture_of}<h2>Threads begun</h2>{frame.thread_rows(begun)}"
        )

    def _search(self, ask: Ask) -> Answer:
        words = ask.query.get("q", "").strip().lower()
        hits = [thread for thread in self._public if words and words in thread.title.lower()]
        form = (
            f'<form action="/search"><p><input name="q" value="{escape(words, quote=True)}"> '
            "<button>Search titles</button></p></form>"
        )
        return self._framed(ask, "Search", form + frame.thread_rows(hits))

    def _calendar(self, ask: Ask, numbers: list[int]) -> Answer:
        """Answer with a month or a day; there is always a next one."""
        year, month = numbers[0], min(max(numbers[1], 1), 12)
        before = f"/calendar/{year - (month == 1):04d}/{(month - 2) % 12 + 1}"
        after = f"/calendar/{year + (month == 12):04d}/{month % 12 + 1}"
        days = "".join(f'<a href="/calendar/{year:04d}/{month}/{day}">{day}</a> ' for day in range(1, 29))
        body = f'<nav><a href="{before}">Earlier</a> <a href="{after}">Later</a></nav><p>{days}</p>'
        return self._framed(ask, f"Calendar {year}, month {month}", body)


def _thread_body(thread: Thread, current: int, count: int, sort: str) -> str:
    first = (current - 1) * frame.POSTS_PER_PAGE
    posts = list(enumerate(thread.posts))[first : first + frame.POSTS_PER_PAGE]
    if sort == "liked":
        posts.sort(key=lambda item: item[1].number % 5)
    pages = frame.pager([frame.thread_path(thread, one) for one in range(1, count + 1)], current)
    sorts = " ".join(
        f'<a href="/t/{thread.slug}?page={current}&amp;sort={name}">{name}</a>' for name in SORTS
    )
    tools = (
        f'<p><small>Sort: {sorts} | <a href="/t/{thread.slug}/print">Print view</a> | '
        f'<a href="/t/{thread.slug}/mark-read">Mark read</a> | '
        f'<a href="/reply?thread={thread.number}">Reply</a> | '
        f'<a href="{frame.board_path(thread.board)}">Board</a></small></p>'
    )
    return tools + pages + "\n".join(frame.post_html(thread, post, place) for place, post in posts) + pages
