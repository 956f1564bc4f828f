"""Say what one look at a page under notice means: a `Look` and `Stored` evidence in, a `Signal` out. No I/O.

The order of the rules, first match wins:
1. The name does not resolve: GONE_DNS, or DNS_GONE_HOST_ALIVE when its last address still serves the text.
2. We could not look: TRANSIENT for the resolver's trouble, UNREACH when nobody answers.
3. The text stands: PRESENT, whatever the status. Most of it stands, but no rule matches it any more: CHANGED.
4. A wall: BLOCKED. A wall is not a removal.
5. A status that says missing (GONE_PAGE), origin unreachable (UNREACH), trouble (TRANSIENT).
6. A page that surely missing addresses bring as well: UNIFORM when the root brings it too, else GONE_SOFT.
7. Anything else: CHANGED; a person decides.

Siblings and the root are asked for only when rules 1 to 5 leave the matter open (`needs_controls`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from caselog.records.choices import Signal
from crawler.checks.likeness import is_explained, is_same_page
from crawler.checks.look import Connection, Dns
from crawler.reading.fingerprint import contain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crawler.checks.look import Look, Stored

PRESENT_SHARE: Final = 0.5
"""Share of the stored sketch, or of the evidential blocks, from which on the text stands."""
REST_SHARE: Final = 0.2
"""Share from which on a page that is not PRESENT still holds a part of the text, so it is no error page."""
LEAST_SKETCH_HASHES: Final = 5
"""A smaller sketch says too little; the block tags are taken instead."""
WALL_STATUS: Final = frozenset({401, 402, 403, 407, 429, 451})
MISSING_STATUS: Final = frozenset({404, 410})
ORIGIN_STATUS: Final = frozenset({521, 522, 523, 524, 525, 526, 530})
"""A proxy cannot reach the server behind it: down, no connection, no route, no answer, no TLS, no name."""
NOT_TEXT: Final = frozenset({"media_type", "attachment"})
"""Refusals by header that leave no doubt that the body is not the text."""
NOBODY_THERE: Final = frozenset({"private_address"})
"""Refusals of addresses that nobody on the internet reaches: a name pointed into the void."""

OUR_TROUBLE: Final = frozenset({"onion_without_tor", "tor_not_ready"})
"""Refusals that say something of us, and nothing of the host."""


def containment(stored: Stored, look: Look) -> float | None:
    """Return which share of the stored sketch stands in the page, 0 to 1.

    Evidence too short for a sketch is measured by its block tags; None when there are neither.
    """
    return _share_beyond(stored, look, ())


def blocks_shared(stored: Stored, look: Look) -> int:
    """Return how many evidential blocks stand in the page unchanged."""
    return len(stored.block_tags & look.block_tags)


def needs_controls(stored: Stored, look: Look) -> bool:
    """Say whether two missing siblings and the root must be asked before this look can be judged."""
    return _early(stored, look) is None


def decide_signal(
    stored: Stored,
    look: Look,
    *,
    siblings: Sequence[Look] = (),
    root: Look | None = None,
    last_host: Look | None = None,
) -> Signal:
    """Return what a look says.

    Args:
        stored: What is kept of the evidence.
        look: The look at the address under notice.
        siblings: Looks at two surely missing addresses beside it, when `needs_controls`.
        root: The look at the root of the host, when `needs_controls`.
        last_host: The look at the last known network address under this name, when the name is gone.

    """
    if look.dns in {Dns.NXDOMAIN, Dns.NODATA}:
        alive = last_host is not None and _early(stored, last_host) is Signal.PRESENT
        return Signal.DNS_GONE_HOST_ALIVE if alive else Signal.GONE_DNS
    return _early(stored, look) or _late(stored, look, siblings, root)


WEAKEST_FIRST: Final = (
    Signal.PRESENT,
    Signal.DNS_GONE_HOST_ALIVE,
    Signal.BLOCKED,
    Signal.TRANSIENT,
    Signal.CHANGED,
    Signal.UNREACH,
    Signal.UNIFORM,
    Signal.GONE_SOFT,
    Signal.GONE_DNS,
    Signal.GONE_PAGE,
)
"""The signals by how little they claim that the text is gone."""


def weaker(first: Signal, second: Signal) -> Signal:
    """Return what two vantages say together: PRESENT anywhere wins, otherwise the weaker claim of absence."""
    return min(first, second, key=WEAKEST_FIRST.index)


def needs_second_vantage(signal: Signal) -> bool:
    """Say whether another view could correct this signal: all but PRESENT."""
    return signal is not Signal.PRESENT


# ---- rules 1 to 5, without controls ------------------------------------------------------------------------


def _early(stored: Stored, look: Look) -> Signal | None:
    """Return the signal that needs no control page, None when the controls decide."""
    if look.dns is not Dns.OK:
        return Signal.TRANSIENT
    if look.connection is not Connection.OK:
        return _unanswered(look)
    if look.refused:
        return _refused(look)
    standing = _standing(stored, look)
    if standing is not Standing.ABSENT:
        return Signal.PRESENT if standing is Standing.STANDS else None
    return _by_status(stored, look)


def _unanswered(look: Look) -> Signal:
    if look.connection is Connection.OTHER:
        return Signal.TRANSIENT
    wants_cookie = look.connection is Connection.LOOP and look.sets_cookie
    if wants_cookie or look.connection is Connection.LOCKED:
        return Signal.BLOCKED  # it sends us round until a cookie comes back, or asks for a key: walls
    return Signal.UNREACH


def _refused(look: Look) -> Signal:
    """Judge an answer whose body we would not read: a person looks, unless the status speaks for itself."""
    if look.refused in OUR_TROUBLE:
        return Signal.TRANSIENT
    if look.refused in NOBODY_THERE:
        return Signal.UNREACH
    if look.is_challenge or look.status in WALL_STATUS:
        return Signal.BLOCKED
    if look.status in MISSING_STATUS and look.refused in NOT_TEXT:
        return Signal.GONE_PAGE
    if look.status is not None and look.status >= 500:
        return Signal.UNREACH if look.status in ORIGIN_STATUS else Signal.TRANSIENT
    return Signal.CHANGED


def _by_status(stored: Stored, look: Look) -> Signal | None:
    """Judge a page without the text by its walls and its status; None when the controls decide."""
    if look.is_challenge or look.status in WALL_STATUS:
        return Signal.BLOCKED
    if look.status in MISSING_STATUS:
        is_plain = not (look.has_password_field or look.is_shell or _holds_rest(stored, look, ()))
        return Signal.GONE_PAGE if is_plain else None
    if look.status in ORIGIN_STATUS:
        return Signal.UNREACH
    if look.status is None or not 200 <= look.status < 300:
        return Signal.TRANSIENT
    return Signal.BLOCKED if look.has_password_field or look.is_shell else None


# ---- rule 3: does the text stand? --------------------------------------------------------------------------


class Standing(StrEnum):
    """How far the text of the evidence stands in a page."""

    STANDS = "stands"
    PARTLY = "partly"
    ABSENT = "absent"


def _standing(stored: Stored, look: Look) -> Standing:
    """Judge without controls; PARTLY is what only the controls, or a person, can settle.

    Rules and hashes support each other. Half of the text with the rules matching is the text. Half of it
    with no rule matching any more is a page whose offending part was taken out, or a site's frame that
    slipped into the evidence. Rules matching and an evidential block standing is the text cut down; rules
    matching alone may be an error page that repeats the words asked for.
    """
    share = containment(stored, look)
    reaches = _reaches(stored, look)
    if share is None:
        return Standing.STANDS if reaches else Standing.ABSENT
    if share >= PRESENT_SHARE:
        is_sure = reaches is not False or _stands_whole(stored, look, share)
        return Standing.STANDS if is_sure else Standing.PARTLY
    return Standing.PARTLY if reaches and blocks_shared(stored, look) else Standing.ABSENT


def _standing_signal(stored: Stored, look: Look, siblings: Sequence[Look]) -> Signal | None:
    """Settle a text that partly stands: what surely missing pages hold too is frame, not text."""
    reaches = _reaches(stored, look)
    if (containment(stored, look) or 0.0) >= PRESENT_SHARE:
        own = _share_beyond(stored, look, siblings)
        return Signal.CHANGED if own is None or own >= PRESENT_SHARE else None
    frame = frozenset[bytes]().union(*(sibling.block_tags for sibling in siblings))
    is_cut_down = reaches and stored.block_tags & look.block_tags - frame
    return Signal.PRESENT if is_cut_down else None


def _reaches(stored: Stored, look: Look) -> bool | None:
    """Say whether the evidence's rules still reach its threshold; None when the rules cannot tell."""
    if not stored.rules or look.rules_score is None:
        return None
    return look.rules_score >= stored.threshold


def _stands_whole(stored: Stored, look: Look, share: float) -> bool:
    """Say whether nothing of the evidence is missing, so that the rules have nothing to say."""
    return share >= 1.0 and stored.block_tags <= look.block_tags


def _share_beyond(stored: Stored, look: Look, siblings: Sequence[Look]) -> float | None:
    """Return the share of the stored hashes, without those in the siblings, that stand in the page.

    None when (nearly) all of them stand in the siblings too: then the site serves the text everywhere.
    """
    if len(stored.sketch) >= LEAST_SKETCH_HASHES:
        sketch = np.fromiter(stored.sketch, dtype=np.uint64)
        frame = {h for other in siblings for h in np.intersect1d(sketch, other.shingles).tolist()}
        own = [h for h in stored.sketch if h not in frame]
        left, total, found = len(own), len(stored.sketch), contain(own, look.shingles)
    else:
        tags = stored.block_tags.difference(*(sibling.block_tags for sibling in siblings))
        left, total, found = len(tags), len(stored.block_tags), len(tags & look.block_tags)
    return found / left if left > 0.1 * total else None


def _holds_rest(stored: Stored, look: Look, siblings: Sequence[Look]) -> bool:
    return (_share_beyond(stored, look, siblings) or 0.0) >= REST_SHARE


# ---- rules 3 to 7, with controls ---------------------------------------------------------------------------


def _late(stored: Stored, look: Look, siblings: Sequence[Look], root: Look | None) -> Signal:
    """Judge with the controls at hand."""
    read = [sibling for sibling in siblings if sibling.is_answered]
    if _standing(stored, look) is Standing.PARTLY:
        settled = _standing_signal(stored, look, read)
        if settled:
            return settled
        by_status = _by_status(stored, look)
        if by_status:
            return by_status
    if _holds_rest(stored, look, read):
        return Signal.CHANGED
    if look.status in MISSING_STATUS:
        return _missing(look, root)
    return _like_missing(stored, look, siblings, root)


def _missing(look: Look, root: Look | None) -> Signal:
    """Judge a 404 that asks for a password or runs a script: is that the site's frame, or a wall?

    A log-in box that the open root carries too is the frame's; a script page is a wall when the root is one.
    """
    root_differs = root is not None and root.is_answered and not is_same_page(look.shingles, root.shingles)
    if look.has_password_field and not (root is not None and root_differs and root.has_password_field):
        return Signal.BLOCKED
    if look.is_shell and root is not None and root.is_shell:
        return Signal.BLOCKED
    return Signal.GONE_PAGE


def _like_missing(stored: Stored, look: Look, siblings: Sequence[Look], root: Look | None) -> Signal:
    """Judge a 2xx page without the text by what surely missing addresses bring."""
    usable = [sibling for sibling in siblings if _tells_missing(sibling)]
    if len(usable) < 2:
        failed = any(
            sibling.connection is not Connection.OK or sibling.dns is not Dns.OK for sibling in siblings
        )
        return Signal.TRANSIENT if failed else _home(stored, look, root)
    if not _brings_same(stored, look, usable, root):
        return _home(stored, look, root)
    if root is not None and _root_is(look, root):
        # One page for the whole site that wants a cookie may be a gate; a person tells it from a parked name.
        return Signal.CHANGED if look.sets_cookie else Signal.UNIFORM
    gated = look.redirects and look.sets_cookie and not (root is not None and root.sets_cookie)
    return Signal.CHANGED if gated else Signal.GONE_SOFT


def _home(stored: Stored, look: Look, root: Look | None) -> Signal:
    """Judge a page unlike missing ones: sent to the root it is gone, else it is another page."""
    is_sent_home = (
        look.redirects > 0 and look.final_url != stored.url and root is not None and root.is_answered
    )
    if is_sent_home and root is not None and _root_is(look, root):
        return Signal.GONE_SOFT
    return Signal.CHANGED


def _tells_missing(sibling: Look) -> bool:
    """Say whether a sibling shows what the site brings for missing pages, and no wall."""
    is_wall = sibling.is_challenge or sibling.has_password_field or sibling.is_shell
    status = sibling.status or 0
    return sibling.is_answered and not is_wall and (200 <= status < 300 or status in MISSING_STATUS)


def _brings_same(stored: Stored, look: Look, siblings: Sequence[Look], root: Look | None) -> bool:
    if look.final_url != stored.url and all(sibling.final_url == look.final_url for sibling in siblings):
        return True
    if look.is_empty:
        return all(sibling.is_empty and (sibling.status or 0) < 300 for sibling in siblings)
    frame = root.shingles if root is not None and root.is_answered else None
    return is_explained(look.shingles, siblings[0].shingles, siblings[1].shingles, frame)


def _root_is(look: Look, root: Look) -> bool:
    """Say whether the root is this page too, or leads to it."""
    if not root.is_answered or (root.status or 0) >= 400:
        return False
    if root.final_url == look.final_url or (look.is_empty and root.is_empty):
        return True
    return is_same_page(look.shingles, root.shingles)
