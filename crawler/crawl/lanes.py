"""Keep hosts that keep us waiting out of the way of the others: pure decisions, times in seconds.

Of the hosts asked at once, one that has not answered within `SLOW_S` stands aside: it no longer takes the
place of a quick one. Otherwise a handful of servers that drip a byte a second would hold up every site.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOW_S: Final = 3.0
"""A request that is under way for longer, and the host that took so long, stand aside."""
STALL_S: Final = 10.0
"""A request that failed after so long was held up; its host is asked again much later."""
MOST_STALLS: Final = 2
"""Requests in a row that a host may hold up; then it is left for the next crawl."""
PAUSE_S: Final = 90.0
"""How long a host rests that held a request up, while others have work."""
ASIDE: Final = 4
"""So many times as many hosts may stand aside as are asked at once."""
LEAST_PATIENCE_S: Final = 12.0
"""Covers the first two retries of a failed address."""
FULL_PATIENCE_S: Final = 120.0
"""How long a crawl waits that has had no usable answer at all."""
SHARE_OF_PATIENCE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """How many hosts are being asked: the quick ones, and those that stand aside."""

    quick: int
    aside: int
    hosts_at_once: int

    def has_room(self, *, is_slow: bool) -> bool:
        """Say whether one more host may be asked, given whether its last request was slow."""
        if is_slow:
            return self.aside < ASIDE * self.hosts_at_once
        return self.quick < self.hosts_at_once


def lanes(ages_s: Iterable[tuple[float, bool]], *, hosts_at_once: int) -> Lanes:
    """Return the lanes of the hosts that are being asked now.

    Args:
        ages_s: For each such host how long its oldest request is under way, and whether it is known as slow.
        hosts_at_once: The operator's limit for hosts that answer in time.
    """
    quick = aside = 0
    for age_s, is_slow in ages_s:
        if is_slow or age_s > SLOW_S:
            aside += 1
        else:
            quick += 1
    return Lanes(quick=quick, aside=aside, hosts_at_once=hosts_at_once)


def patience_s(elapsed_s: float, *, waits_for_retries: bool) -> float:
    """Return how long a crawl goes on after its last usable answer when nothing else can be asked.

    Where other sites answered well, a few that do not must not hold the crawl open; their addresses stay
    pending for the next one.

    Args:
        elapsed_s: From the start of the crawl to that answer.
        waits_for_retries: Addresses that failed are waited for at least until their second retry.
    """
    least_s = LEAST_PATIENCE_S if waits_for_retries else 0.0
    return max(least_s, SHARE_OF_PATIENCE * elapsed_s)
