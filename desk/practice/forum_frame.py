"""The forum's templates: frame, posts, lists; strings in, strings out."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from desk.practice.answer import document
from desk.practice.library import BOARDS, MEMBERS, NOSCRIPT_THREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from desk.practice.answer import Ask
    from desk.practice.library import Post, Thread

POSTS_PER_PAGE = 10
THREADS_PER_PAGE = 4
_DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="


def page_count(items: int, per_page: int) -> int:
    """Give how many pages a list takes; an empty list takes one."""
    return max(1, -(-items // per_page))


def thread_path(thread: Thread, page: int = 1) -> str:
    """Give the canonical path of a page of a thread."""
    return f"/t/{thread.slug}" + (f"?page={page}" if page > 1 else "")


def board_path(number: int, page: int = 1) -> str:
    """Give the canonical path of a page of a board."""
    return f"/board/{number}-{BOARDS[number - 1][0]}" + (f"?page={page}" if page > 1 else "")


def frame(ask: Ask, title: str, body: str, recent: Sequence[Thread]) -> str:
    """Give a whole page: header with log-in and search, the body, recent threads, footer."""
    here = quote(ask.path, safe="")
    links = "".join(
        f'<li><a href="{thread_path(thread)}">{escape(thread.title)}</a></li>' for thread in recent
    )
    return document(
        f"{title} - The Crumb Forum",
        f'<header><a href="/"><img src="/pictures/logo.png" alt="The Crumb Forum"></a> <nav>'
        f'<a href="/">Index</a> <a href="/search">Search</a> <a href="/calendar/2026/5">Calendar</a> '
        f'<a href="/login?next={here}" rel="nofollow">Log in</a> '
        f'<a href="/register?next={here}">Register</a> '
        f'<a href="/logout">Log out</a></nav></header>\n<main><h1>{escape(title)}</h1>\n{body}\n</main>\n'
        f"<aside><h2>Recent threads</h2><ul>{links}</ul></aside>\n"
        "<footer><small>The Crumb Forum, slow bread since 2009. "
        '<a href="/mark-read?board=all">Mark all read</a></small></footer>',
    )


def post_html(thread: Thread, post: Post, place: int) -> str:
    """Give one post with its author, picture and the links that every post carries."""
    name = MEMBERS[post.author - 1]
    words = "".join(f"<p>{escape(part)}</p>" for part in post.paragraphs)
    number = post.number
    return (
        f'<article id="p{number}"><h3><img src="/avatar/{post.author}.png" alt="" width="32" height="32"> '
        f'<a href="/member/{post.author}">{name}</a></h3>'
        f'<small>Post <a href="/post/{number}">#{place + 1}</a></small>\n'
        f"{_shown(thread, words)}{_picture(number)}\n"
        f'<p><small><a href="/like?post={number}">Like</a> <a href="/report?post={number}">Report</a> '
        f'<a href="/reply?thread={thread.number}&amp;quote={number}">Reply</a></small></p></article>'
    )


def _shown(thread: Thread, words: str) -> str:
    """One thread shows its posts by a script alone, and to others inside noscript."""
    if thread.number != NOSCRIPT_THREAD:
        return words
    return f'<div class="late" data-later="1"></div><noscript>{words}</noscript>'


def _picture(number: int) -> str:
    if number == 10:
        return f'<p><img src="{_DOT}" alt="a dot"></p>'
    if number % 7 == 0:
        small = f'<img src="/pictures/{number}-small.png" alt="a loaf">'
        return f'<p><a href="/pictures/{number}.png">{small}</a></p>'
    return ""


def thread_rows(threads: Iterable[Thread]) -> str:
    """Give the rows of a thread list, each with links to the thread's pages and its last post."""
    return "<ul>" + "".join(f"<li>{_thread_row(thread)}</li>" for thread in threads) + "</ul>"


def _thread_row(thread: Thread) -> str:
    pages = range(2, page_count(len(thread.posts), POSTS_PER_PAGE) + 1)
    more = "".join(f' <a href="{thread_path(thread, number)}">{number}</a>' for number in pages)
    starter = thread.posts[0].author
    return (
        f'<a href="{thread_path(thread)}">{escape(thread.title)}</a>{more} <small>by '
        f'<a href="/member/{starter}">{MEMBERS[starter - 1]}</a>, {len(thread.posts)} posts, '
        f'<a href="/post/{thread.posts[-1].number}">last</a></small>'
    )


def pager(paths: Sequence[str], current: int) -> str:
    """Give links to the other pages of a list; `paths` in order, `current` from 1."""
    if len(paths) == 1:
        return ""
    links = [
        f"<b>{number}</b>" if number == current else f'<a href="{path}">{number}</a>'
        for number, path in enumerate(paths, 1)
    ]
    if current > 1:
        links.insert(0, f'<a rel="prev" href="{paths[current - 2]}">Back</a>')
    if current < len(paths):
        links.append(f'<a rel="next" href="{paths[current]}">Next</a>')
    return "<nav>" + " ".join(links) + "</nav>"
