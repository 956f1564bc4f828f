"""What the practice sites hold: boards, threads, posts, members and the terms of the exercise.

Made from a seed and never changed; what was removed meanwhile is kept by `servers`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from desk.practice import text

BOARDS = (
    ("starters", "Starters and levain", False),
    ("flour", "Flour and water", False),
    ("ovens", "Ovens and tools", False),
    ("members", "The long table (members)", True),
)
POST_COUNTS = (24, 7, 33, 12, 4, 18, 9, 38, 6, 15, 11, 3, 14, 5)
"""Posts of each thread; the last two threads stand on the members' board."""
MEMBERS = (
    "anton",
    "berta",
    "carla",
    "dieter",
    "edda",
    "fritz",
    "gesa",
    "hanno",
    "ilse",
    "jonas",
    "karin",
    "ludwig",
)
NOSCRIPT_THREAD = 5
MIRRORED = (1, 3, 5, 8)
"""Threads that the mirror serves as well."""
LONGEST_POST_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One line of the exercise's terms file."""

    id: str
    term: str
    weight: float
    kind: str


TERMS = (
    Term(id="t1", term="desemstarter", weight=1.0, kind="word"),
    Term(id="t2", term="altusbrei", weight=0.6, kind="word"),
    Term(id="t3", term="ruchmehl", weight=0.5, kind="word"),
    Term(id="t4", term="three stage rye build", weight=1.0, kind="phrase"),
)
PLANTED = {
    (1, 3): ("t1",),
    (1, 17): ("t4",),
    (3, 12): ("t4", "t1"),
    (5, 2): ("t1",),
    (8, 0): ("t2",),
    (8, 31): ("t3", "t1"),
    (10, 1): ("t2",),
    (12, 1): ("t2", "t3"),
    (13, 2): ("t1",),
}
"""(thread, place of the post in it) -> terms in that post. Thread 10 alone stays below the weight of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post; `number` is its id over all threads."""

    number: int
    author: int
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        """Give the whole text of the post."""
        return "\n\n".join(self.paragraphs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One thread with its posts in order; `number` counts from 1."""

    number: int
    board: int
    title: str
    posts: tuple[Post, ...]

    @property
    def name(self) -> str:
        """Give the name under which a thread is removed and restored."""
        return f"thread-{self.number}"

    @property
    def slug(self) -> str:
        """Give the thread's part of an address."""
        return f"{self.number}-{re.sub('[^a-z0-9]+', '-', self.title.lower()).strip('-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """All that the practice sites know."""

    threads: tuple[Thread, ...]

    def thread(self, number: int) -> Thread | None:
        """Give a thread by its number."""
        return self.threads[number - 1] if 0 < number <= len(self.threads) else None

    def on_board(self, board: int) -> tuple[Thread, ...]:
        """Give the threads of a board, newest first."""
        return tuple(thread for thread in reversed(self.threads) if thread.board == board)

    def find_post(self, number: int) -> tuple[Thread, int] | None:
        """Give the thread of a post and the post's place in it, from 0."""
        for thread in self.threads:
            for place, post in enumerate(thread.posts):
                if post.number == number:
                    return thread, place
        return None


def is_members_only(thread: Thread) -> bool:
    """Tell whether a thread stands behind the log-in."""
    return BOARDS[thread.board - 1][2]


def write_library(seed: int = 1) -> Library:
    """Write all threads; the same seed gives the same library, word for word."""
    rng = random.Random(seed)  # noqa: S311 - sample text, no secret
    threads: list[Thread] = []
    number = 0
    for index, count in enumerate(POST_COUNTS, 1):
        posts = tuple(
            _write_post(rng, number + place + 1, PLANTED.get((index, place), ())) for place in range(count)
        )
        number += count
        threads.append(Thread(number=index, board=_board_of(index), title=text.title(rng), posts=posts))
    return Library(threads=tuple(threads))


def _board_of(thread: int) -> int:
    if thread > 12:
        return 4
    return 1 if thread <= 6 else 2 if thread <= 10 else 3


def _write_post(rng: random.Random, number: int, planted: tuple[str, ...]) -> Post:
    words = rng.choice((30, 40, 60, 60, 80, 110, 150, LONGEST_POST_WORDS - 30))
    parts = list(text.paragraphs(rng, words))
    for term in TERMS:
        if term.id in planted:
            place = rng.randrange(len(parts))
            parts[place] += f" {text.sentence(rng)[:-1]} with {term.term}."
    return Post(number=number, author=rng.randrange(1, len(MEMBERS) + 1), paragraphs=tuple(parts))


def terms_in(words: str) -> tuple[str, ...]:
    """Give the ids of the exercise's terms that a text holds."""
    plain = " " + " ".join(re.findall(r"[a-z0-9]+", words.lower())) + " "
    return tuple(term.id for term in TERMS if f" {term.term} " in plain)


def terms_csv() -> str:
    """Give the exercise's terms file."""
    lines = [f"{term.id},{term.term},{term.weight:g},{term.kind}" for term in TERMS]
    return "\n".join(["id,term,weight,kind", *lines]) + "\n"
