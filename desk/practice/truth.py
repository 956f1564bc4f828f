"""What a perfect crawl of the practice web would find: the yardstick for tests and for the demo."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from desk.practice import forum_frame, mirror, paste
from desk.practice.library import MIRRORED, TERMS, Library, Thread, is_members_only, terms_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One thread or paste on one site."""

    site: str
    name: str
    """`thread-3` or `paste-2`, as `remove` takes it."""
    access: str
    """`public` or `members`."""
    present: bool
    pages: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]
    """Term id -> numbers of the pages that hold it, from 1."""
    weight: float
    """Sum of the weights of the distinct terms."""


def documents(
    library: Library, *, roots: Mapping[str, str], removed: AbstractSet[tuple[str, str]]
) -> list[Document]:
    """Give every document of every site; `roots` maps a site to its address without the last slash."""
    found = [_thread_document("forum", thread, roots["forum"], removed) for thread in library.threads]
    found += [
        _thread_document("mirror", library.threads[number - 1], roots["mirror"], removed)
        for number in MIRRORED
    ]
    return found + [
        _document(
            "paste",
            one.name,
            [f"{roots['paste']}/{one.slug}"],
            [one.text],
            ("paste", one.name) not in removed,
        )
        for one in paste.pastes_of(library)
    ]


def _thread_document(site: str, thread: Thread, root: str, removed: AbstractSet[tuple[str, str]]) -> Document:
    per_page = forum_frame.POSTS_PER_PAGE if site == "forum" else mirror.POSTS_PER_PAGE
    count = forum_frame.page_count(len(thread.posts), per_page)
    if site == "forum":
        paths = [forum_frame.thread_path(thread, number + 1) for number in range(count)]
    else:
        paths = [mirror.read_path(thread, number * per_page) for number in range(count)]
    texts = [
        "\n".join(post.text for post in thread.posts[number * per_page : (number + 1) * per_page])
        for number in range(count)
    ]
    return _document(
        site,
        thread.name,
        [root + path for path in paths],
        texts,
        (site, thread.name) not in removed,
        access="members" if is_members_only(thread) else "public",
    )


def _document(
    site: str, name: str, pages: list[str], texts: list[str], present: bool, *, access: str = "public"
) -> Document:
    on_page = [terms_in(text) for text in texts]
    terms = {
        term.id: tuple(number for number, ids in enumerate(on_page, 1) if term.id in ids)
        for term in TERMS
        if any(term.id in ids for ids in on_page)
    }
    weight = sum(term.weight for term in TERMS if term.id in terms)
    return Document(
        site=site, name=name, access=access, present=present, pages=tuple(pages), terms=terms, weight=weight
    )


def as_json(found: list[Document]) -> list[dict[str, object]]:
    """Give documents as plain values for a line of JSON."""
    return [asdict(document) for document in found]
