"""Find the operator's terms in a page's blocks: rule numbers and a score come out, words never do.

Both sides are normalised. A word is a whole run of letters and digits, a phrase runs that follow each
other in one block; a term in a script written without spaces matches anywhere in a block. Terms of one
normal form count once, with the largest of their weights, and all their rules are named.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from typing import TYPE_CHECKING, Final, Protocol

from ahocorasick_rs import AhoCorasick

from caselog.errors import IntakeError
from crawler.reading.normalise import fold_blocks, runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crawler.reading.normalise import Folded

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003134f]"
)
"""Thai and Lao, Myanmar, Khmer, Kana, Han."""
_ROUNDING: Final = 9


class RuleLike(Protocol):
    """The part of an operator's rule that matching needs."""

    @property
    def number(self) -> int:
        """Give the workspace's own number of the rule."""

    @property
    def term(self) -> str:
        """Give the operator's term."""

    @property
    def weight(self) -> float:
        """Give what the rule adds to the score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the rules say of one page."""

    rules: tuple[int, ...]
    """Numbers of the matching rules, ascending."""
    score: float
    """Sum of the weights of the different matching terms."""
    block_indexes: tuple[int, ...]
    """Positions of the blocks that hold a match, ascending."""


@dataclass(frozen=True, slots=True)
class _Term:
    rules: tuple[int, ...]
    weight: float


class _Automaton:
    """One search for many normal forms at once."""

    def __init__(self, patterns: dict[str, _Term]) -> None:
        self.terms = list(patterns.values())
        self._search = AhoCorasick(list(patterns), store_patterns=False) if patterns else None

    def find(self, lines: str) -> set[tuple[int, int]]:
        """Give (term, line) for each term that occurs in a line."""
        if self._search is None:
            return set()
        found = self._search.find_matches_as_indexes(lines, overlapping=True)
        if not found:
            return set()
        starts = list(accumulate((len(line) + 1 for line in lines.split("\n")), initial=0))
        return {(term, bisect_right(starts, start) - 1) for term, start, _ in found}


class Matcher:
    """Search pages for the terms of a workspace.

    Args:
        rules: The operator's rules.

    Raises:
        IntakeError: A term holds no letter or digit, or a weight is no number; names the rule.
    """

    def __init__(self, rules: Iterable[RuleLike]) -> None:
        spaced: dict[str, _Term] = {}
        unspaced: dict[str, _Term] = {}
        for rule in rules:
            form = _normal_form(rule)
            is_unspaced = _UNSPACED.search(form) is not None
            table, form = (unspaced, form.replace(" ", "")) if is_unspaced else (spaced, form)
            known = table.get(form, _Term((), rule.weight))
            table[form] = _Term((*known.rules, rule.number), max(known.weight, rule.weight))
        self._spaced = _Automaton(spaced)
        self._unspaced = _Automaton(unspaced)

    def match(self, blocks: Sequence[str]) -> Match:
        """Give the rules that the blocks fulfil, the score, and which blocks hold a match."""
        return self.match_folded(fold_blocks(blocks))

    def match_folded(self, folded: Folded) -> Match:
        """Give the same of blocks in normal form."""
        spaced = self._spaced.find(folded.spaced)
        # A term in a script without spaces has a letter of that script.
        unspaced = set() if folded.solid.isascii() else self._unspaced.find(folded.solid)
        terms = [self._spaced.terms[i] for i in {term for term, _ in spaced}]
        terms += [self._unspaced.terms[i] for i in {term for term, _ in unspaced}]
        return Match(
            rules=tuple(sorted({number for term in terms for number in term.rules})),
            score=round(sum(sorted(term.weight for term in terms)), _ROUNDING),
            block_indexes=tuple(sorted({part for _, part in spaced | unspaced})),
        )


def _normal_form(rule: RuleLike) -> str:
    form = runs(rule.term)
    if not form.strip():
        raise IntakeError(f"Rule {rule.number} holds no letter or digit.", "Correct or remove its term.")
    if not isfinite(rule.weight):
        raise IntakeError(f"The weight of rule {rule.number} is not a number.", "Correct its weight.")
    return form
