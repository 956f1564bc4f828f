"""The practice mirror `mirror.crust.example`: some of the forum's threads in another template."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from desk.practice.answer import Answer, Ask, Kind, Style, document, missing, page, picture
from desk.practice.library import MEMBERS, MIRRORED

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from desk.practice.library import Library, Thread

POSTS_PER_PAGE = 15


def read_path(thread: Thread, start: int = 0) -> str:
    """Give the path of the page of a thread that begins with the post `start`."""
    return f"/read.php?topic={thread.number}" + (f"&start={start}" if start else "")


class Mirror:
    """The mirror over a library, without the threads in `removed`; nothing in it changes."""

    def __init__(
        self, library: Library, *, removed: AbstractSet[int] = frozenset(), style: Style = Style.SOFT
    ):
        self._style = style
        self._present = tuple(library.threads[number - 1] for number in MIRRORED if number not in removed)

    def answer(self, ask: Ask) -> Answer:
        """Give the mirror's answer to one request."""
        if ask.path in {"/", "/index.php"}:
            return self._index()
        if ask.path == "/read.php":
            return self._read(ask)
        if ask.path == "/face.php":
            return picture(ask.number("of"))
        if ask.path == "/vote.php":
            return Answer(status=204, headers=(), body=b"", kind=Kind.CHANGE)
        return self._missing()

    def _missing(self) -> Answer:
        return missing(self._style, "/", _framed("Crust notes", "<p>This leaf is not in the book.</p>"))

    def _index(self) -> Answer:
        rows = "".join(
            f'<tr><td><a href="{escape(read_path(thread))}">{escape(thread.title)}</a></td>'
            f"<td>{len(thread.posts)}</td></tr>"
            for thread in self._present
        )
        return page(_framed("Crust notes", f"<table><tr><th>Leaf</th><th>Notes</th></tr>{rows}</table>"))

    def _read(self, ask: Ask) -> Answer:
        number, start = ask.number("topic", 0), ask.number("start", 0)
        thread = next((one for one in self._present if one.number == number), None)
        if thread is None or start % POSTS_PER_PAGE or start >= len(thread.posts):
            return self._missing()
        rows = "".join(
            f'<tr><td><img src="/face.php?of={post.author}" alt=""><br>'
            f"{MEMBERS[post.author - 1].upper()}</td>"
            f"<td>{'<br><br>'.join(escape(part) for part in post.paragraphs)}<hr>"
            f'<a href="/vote.php?note={post.number}&amp;up=1">Good note</a></td></tr>'
            for post in thread.posts[start : start + POSTS_PER_PAGE]
        )
        starts = range(0, len(thread.posts), POSTS_PER_PAGE)
        leaves = " ".join(f'<a href="{escape(read_path(thread, one))}">[{one}]</a>' for one in starts)
        return page(_framed(thread.title, f"<p>{leaves}</p><table>{rows}</table>"))


def _framed(title: str, body: str) -> str:
    return document(title, f'<div><a href="/index.php">Crust notes</a></div><h2>{escape(title)}</h2>{body}')
