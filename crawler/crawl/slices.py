"""A slice: what one site may cost before others have their turn, and how a slice ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caselog.records.ids import LeadId, SiteId
    from crawler.crawl.site_state import SiteState

SHORT_WAIT_S: Final = 1.0
"""A site that can be asked again sooner keeps its slice; for longer waits the slice ends."""


class Ending(StrEnum):
    """Why a slice ended."""

    SPENT = "spent"
    """Its pages or seconds are used up."""
    OVER = "over"
    """Nothing is left to ask."""
    WAITS = "waits"
    """What is left was put off."""
    LEFT = "left"
    """The host holds requests up, and is left for a later call."""
    CLOSED = "closed"
    """The host was excluded or stopped."""
    QUIET = "quiet"
    """Quiet hours have begun."""
    FENCED = "fenced"
    """Another worker has taken the site."""
    STOPPED = "stopped"
    """The worker is told to stop."""


GOES_ON: Final = frozenset({Ending.SPENT, Ending.WAITS, Ending.STOPPED})
"""After these another slice is worth it, when anything is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One budgeted slice of one site."""

    site_id: SiteId
    lead_ids: tuple[LeadId, ...]
    """The leads of the site that the call may follow."""
    pages: int
    seconds: float
    is_first: bool = True
    """The first one of its call: nothing is remembered from before."""
    has_page_limit: bool = False
    """The call has a page budget of its own, which stands for those of its leads."""
    elapsed_s: float = 0.0
    """How long the call is under way; the leads' own time counts from its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceEnd:
    """What a slice brought."""

    ending: Ending
    counts: Mapping[str, int]
    unspent: int = 0
    """Pages of the slice that were not asked."""
    has_more: bool = False
    wait_s: float = 0.0
    """How long to wait before the next slice."""
    has_good: bool = False
    """A usable answer was recorded."""
    cpu_s: float = 0.0

    @property
    def goes_on(self) -> bool:
        """Tell whether another slice of the site is to follow in the same call."""
        return self.has_more and self.ending in GOES_ON


def ending_of(site: SiteState, now_s: float, *, is_quiet: bool, is_stopping: bool) -> Ending | None:
    """Return why the slice of a site is over, or None while it goes on.

    Args:
        site: The site as it stands.
        now_s: Monotonic time.
        is_quiet: Quiet hours have begun.
        is_stopping: The worker is told to stop.
    """
    if site.in_flight:
        return None
    checks = (
        (site.is_fenced, Ending.FENCED),
        (is_stopping, Ending.STOPPED),
        (is_quiet, Ending.QUIET),
        (site.stopped, Ending.CLOSED),
        (site.is_left(), Ending.LEFT),
        (not site.has_more(), Ending.OVER),
        (site.is_slice_spent(now_s), Ending.SPENT),
        (site.waits_until() > now_s + SHORT_WAIT_S, Ending.WAITS),
    )
    return next((ending for is_so, ending in checks if is_so), None)
