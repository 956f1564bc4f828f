"""What the crawl has learned of a site's address patterns: which are worth another request.

A pattern is the shape of an address (path shape and query keys). Each answer says what a request to the
pattern brought; requests go where most is expected, and patterns that only repeat are given up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TRIES = 6
"""Answers without gain after which a pattern is given up."""
LEAST_GAIN = 0.05
PRIOR_WEIGHT = 2.0
NEUTRAL_PRIOR = 0.5


@dataclass(slots=True)
class PatternStats:
    """What the requests to one pattern brought so far."""

    asked: int = 0
    gained: float = 0.0
    refused: int = 0
    prior: float = NEUTRAL_PRIOR

    def expected(self) -> float:
        """Return the gain to expect of the next request, between 0 and 1."""
        return (self.gained + PRIOR_WEIGHT * self.prior) / (self.asked + PRIOR_WEIGHT)

    def is_given_up(self) -> bool:
        """Tell whether the pattern only repeats, or leads to what is never fetched."""
        if self.refused and not self.gained:
            return True
        return self.asked >= TRIES and self.gained < LEAST_GAIN * self.asked


@dataclass(slots=True)
class PatternBook:
    """The patterns of one site."""

    stats: dict[str, PatternStats] = field(default_factory=dict)

    def of(self, pattern: str) -> PatternStats:
        """Return the figures of a pattern, new ones if it was never seen."""
        found = self.stats.get(pattern)
        if found is None:
            found = self.stats[pattern] = PatternStats()
        return found

    def restore(self, pattern: str, asked: int, gained: float, refused: int) -> None:
        """Take over what an earlier crawl learned."""
        self.stats[pattern] = PatternStats(asked=asked, gained=gained, refused=refused)

    def expect(self, pattern: str, prior: float) -> None:
        """Note what the wording of a link promises; the best promise of a pattern counts."""
        stats = self.of(pattern)
        stats.prior = max(stats.prior, prior) if stats.asked or stats.prior != NEUTRAL_PRIOR else prior

    def note(self, pattern: str, *, gain: float = 0.0, refused: bool = False) -> None:
        """Note what one answer brought.

        Args:
            pattern: The pattern that was asked.
            gain: Between 0 (nothing new) and 1.
            refused: The answer was media or an attachment; the pattern is not asked again.
        """
        stats = self.of(pattern)
        stats.asked += 1
        stats.gained += gain
        stats.refused += refused


def gain_of(*, new_letters: int, new_links: int) -> float:
    """Return what a page brought: new text, or links to where text may be; between 0 and 1."""
    return max(min(1.0, new_letters / 200), 0.8 * min(1.0, new_links / 5))
