"""The practice paste site `paste.starter.example`: each paste as a page, as raw text and as a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from desk.practice.answer import Answer, Ask, Style, attachment, document, missing, page, plain

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from desk.practice.library import Library

PASTED = ((1, 3), (3, 12), (5, 2), (2, 1), (7, 4), (8, 31), (9, 0), (11, 2))
"""(thread, place of the post in it) of each paste; `paste-1` is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paste:
    """One paste: its name for removal, its place in addresses, its text."""

    name: str
    slug: str
    text: str


def pastes_of(library: Library) -> tuple[Paste, ...]:
    """Give all pastes, copies of posts of the forum."""
    texts = [library.threads[thread - 1].posts[place].text for thread, place in PASTED]
    return tuple(
        Paste(name=f"paste-{number}", slug=hashlib.sha256(text.encode()).hexdigest()[:8], text=text)
        for number, text in enumerate(texts, 1)
    )


class PasteSite:
    """The paste site over a library, without the pastes in `removed`; nothing in it changes."""

    def __init__(
        self, library: Library, *, removed: AbstractSet[str] = frozenset(), style: Style = Style.HOME
    ):
        self._style = style
        self._present = {paste.slug: paste for paste in pastes_of(library) if paste.name not in removed}

    def answer(self, ask: Ask) -> Answer:
        """Give the paste site's answer to one request."""
        if ask.path == "/":
            return page(_framed("New paste", _FORM))
        if ask.path == "/recent":
            rows = "".join(f'<li><a href="/{slug}">{slug}</a></li>' for slug in self._present)
            return page(_framed("Recent", f"<ol>{rows}</ol>"))
        view, _, slug = ask.path[1:].rpartition("/")
        paste = self._present.get(slug)
        views = {"": _shown, "raw": _raw, "download": _file}
        if paste is None or view not in views:
            return missing(
                self._style, "/", _framed("Gone", "<p>No paste of that name. It may have expired.</p>")
            )
        return views[view](paste)


_FORM = (
    '<form method="post" action="/"><textarea name="text" rows="9" cols="70"></textarea>'
    "<button>Keep</button></form>"
)


def _shown(paste: Paste) -> Answer:
    tools = (
        f'<p><a href="/raw/{paste.slug}">Raw</a> <a href="/download/{paste.slug}">Download</a> '
        f"<small>{len(paste.text)} letters, kept for a month</small></p>"
    )
    return page(_framed(f"Paste {paste.slug}", f"{tools}<pre>{escape(paste.text)}</pre>"))


def _raw(paste: Paste) -> Answer:
    return plain(paste.text + "\n")


def _file(paste: Paste) -> Answer:
    return attachment(paste.text + "\n", f"{paste.slug}.txt")


def _framed(title: str, body: str) -> str:
    head = '<header><b>Starter Paste</b> <nav><a href="/">New</a> <a href="/recent">Recent</a></nav></header>'
    return document(
        title, f"{head}<h1>{escape(title)}</h1>{body}<footer><small>Text only, please.</small></footer>"
    )
