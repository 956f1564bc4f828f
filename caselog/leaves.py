"""The ledger's leaves in order, its head, and what a check of it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caselog import merkle
from caselog.errors import TamperedError
from caselog.store import entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from caselog.store.entries import Leaf
    from caselog.store.log import Reader

NEXT_STEP = "Stop work, keep this database as it is, and compare it with a backup."


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The tree as it stands: what a notice prints and a checkpoint signs."""

    size: int
    root: str
    """In hexadecimal."""
    at: datetime | None
    """When the last entry was numbered; None is never."""
    unsealed: int
    """How many entries have no number yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a check found in order."""

    size: int
    root: str
    at: datetime | None
    records: int
    """How many records were compared with their entries; 0 in an export, which holds none."""
    unsealed: int
    purged: int
    """How many records could not be compared whole, because their salt or data key was destroyed."""
    anchored: int
    """Up to which leaf a root that somebody else holds was found right; the rest is the operator's word."""


def head(reader: Reader) -> Head:
    """Return the head of the ledger and how many entries are not yet below it."""
    newest = entries.newest_head(reader)
    waiting = entries.unsealed_count(reader)
    if newest is None:
        return Head(size=0, root=merkle.EMPTY_ROOT.hex(), at=None, unsealed=waiting)
    return Head(size=newest.size, root=newest.root.hex(), at=newest.at, unsealed=waiting)


def sound_leaves(reader: Reader) -> Iterator[Leaf]:
    """Yield every leaf in order, each checked against its entry.

    Raises:
        TamperedError: A number is missing, or a leaf does not match its entry.
    """
    for expected, leaf in enumerate(entries.all_leaves(reader)):
        if leaf.index != expected:
            raise TamperedError(f"Leaf {expected} of the ledger is missing.", NEXT_STEP)
        if leaf.body is None:
            raise TamperedError(f"The entry of leaf {leaf.index} is missing.", NEXT_STEP)
        if merkle.leaf_hash(leaf.body.encode()) != leaf.hash:
            raise TamperedError(
                f"The ledger entry of {called(leaf.kind, leaf.record_id)} was changed.", NEXT_STEP
            )
        yield leaf


def called(kind: str | None, number: int | None) -> str:
    """Return how a message calls a record: its kind and number."""
    return f"{(kind or 'record').lower()} {number}"
