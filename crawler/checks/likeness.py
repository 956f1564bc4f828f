"""Compare a page with the site's control pages by their shingle hashes alone. No text, no I/O.

Error pages vary: they repeat the address asked for, the time, a number. What they share still stands out, and
how much two surely missing pages differ from each other tells how much a third may differ from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from crawler.reading.fingerprint import is_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

SAME_SHARE: Final = 0.6
"""Share of a page's shingles from which on the controls explain it."""
LEAST_SHARE: Final = 0.35
"""The same for sites whose missing pages differ a lot from each other; never less."""
LEAST_COMMON: Final = 0.2
"""Share of their own text that missing pages have in common, below which it is only noise."""
LEAST_OWN_SHINGLES: Final = 12
"""Fewer shingles beyond the root's are chance."""
_ROOM: Final = 0.8
_OWN_ROOM: Final = 0.75
_DEPARTURE: Final = 1.5


def share_in(page: Hashes, other: Hashes) -> float:
    """Return which share of the page's shingles stands in the other, 0 to 1; an empty page has none."""
    return float(is_in(page, other).mean()) if len(page) else 0.0


def is_same_page(page: Hashes, other: Hashes) -> bool:
    """Say whether two pages hold mostly the same text, each in the other."""
    return min(share_in(page, other), share_in(other, page)) >= SAME_SHARE


def is_explained(page: Hashes, first: Hashes, second: Hashes, root: Hashes | None) -> bool:
    """Say whether a page is what the site brings for missing addresses.

    Args:
        page: The shingles of the page in question, ascending.
        first: Those of one surely missing sibling.
        second: Those of another.
        root: Those of the site's root, to tell the frame from what is said inside it; None when not known.

    """
    allowed = max(LEAST_SHARE, min(SAME_SHARE, _ROOM * _common(first, second)))
    if share_in(page, np.union1d(first, second)) < allowed:
        return False
    if root is None:
        return True
    return _is_explained_inside(page, first, second, root)


def _is_explained_inside(page: Hashes, first: Hashes, second: Hashes, root: Hashes) -> bool:
    """Compare what the pages say beyond the root: a new article inside a large frame is no error page."""
    own, own_first, own_second = (part[~is_in(part, root)] for part in (page, first, second))
    if len(own) < LEAST_OWN_SHINGLES:
        return True
    common = _common(own_first, own_second)
    if common >= LEAST_COMMON:
        return share_in(own, np.union1d(own_first, own_second)) >= min(SAME_SHARE, _OWN_ROOM * common)
    # Missing pages share nothing but the root's text: then so may this one, if it departs no further from it.
    departures = [
        len(part) / max(1, len(whole)) for part, whole in ((own_first, first), (own_second, second))
    ]
    return len(own) / len(page) <= _DEPARTURE * max(departures)


def _common(first: Hashes, second: Hashes) -> float:
    """Return how much two pages have in common, 0 to 1; too little text has nothing in common."""
    if min(len(first), len(second)) < LEAST_OWN_SHINGLES:
        return 0.0
    return (share_in(first, second) + share_in(second, first)) / 2
