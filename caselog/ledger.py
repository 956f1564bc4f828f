"""The ledger over the case log: number its entries, tell its head, find whatever was changed afterwards.

A Merkle log after RFC 9162. It shows that records were not changed since a head was known to somebody
else; against the operator himself only heads count that others hold, such as those printed in notices.
"""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from caselog import merkle
from caselog.commitments import commitment, entry_body
from caselog.errors import TamperedError
from caselog.leaves import NEXT_STEP, Head, Verified, called, head, sound_leaves
from caselog.ledger_folder import export, verify_export
from caselog.plans import PLANS, KindPlan
from caselog.store import entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from caselog.store.entries import Entry
    from caselog.store.log import CaseLog, KeptRow, Reader, Writer

__all__ = ["Head", "Verified", "export", "head", "leaf_indexes", "seal", "verify", "verify_export"]

_BATCH = 500


def seal(writer: Writer, *, now: datetime | None = None) -> int:
    """Number every entry that has no leaf yet, store the new head, and return how many there were.

    Args:
        writer: An open writer; one transaction numbers at a time.
        now: The time of the head; None reads the clock.
    """
    writer.lock("ledger")
    newest = entries.newest_head(writer)
    tree = merkle.Tree(newest.size, newest.peaks) if newest else merkle.Tree()
    start = tree.size
    while batch := entries.next_unsealed(writer, _BATCH):
        leaves: list[tuple[int, int, bytes]] = []
        for entry_id, body in batch:
            digest = merkle.leaf_hash(body.encode())
            leaves.append((tree.size, entry_id, digest))
            tree.append(digest)
        entries.add_leaves(writer, leaves)
    if tree.size > start:
        at = now or datetime.now(UTC)
        entries.add_head(writer, size=tree.size, root=tree.root(), peaks=tree.peaks, at=at)
    return tree.size - start


def leaf_indexes(reader: Reader, kind: type[object], numbers: Iterable[int]) -> dict[int, int]:
    """Return the leaf index of each of these records that is sealed."""
    return entries.leaf_indexes(reader, PLANS[kind].name, numbers)


def verify(case_log: CaseLog, *, roots: Mapping[int, str] | None = None) -> Verified:
    """Check records against entries, entries against leaves, and the tree against every known head.

    Args:
        case_log: The case log to check.
        roots: Roots (hexadecimal) by size that somebody else holds, such as those of checkpoints or notices.

    Raises:
        TamperedError: Something was changed, deleted or added; names the record.
    """
    try:
        return _verify(case_log, roots or {})
    except (TypeError, ValueError):
        raise TamperedError("A row of the database holds a value of the wrong type.", NEXT_STEP) from None


def _verify(case_log: CaseLog, roots: Mapping[int, str]) -> Verified:
    with case_log.read() as reader:
        tree = _verify_tree(reader, roots)
        found = [_verify_kind(reader, plan) for plan in PLANS.values()]
        records, purged = sum(count for count, _ in found), sum(count for _, count in found)
        if entries.entry_count(reader) != records:
            raise TamperedError("The ledger holds entries of an unknown kind of record.", NEXT_STEP)
        now = head(reader)
    return Verified(
        size=tree.size,
        root=tree.root().hex(),
        at=now.at,
        records=records,
        unsealed=now.unsealed,
        purged=purged,
        anchored=max(roots, default=0),
    )


def _verify_tree(reader: Reader, roots: Mapping[int, str]) -> merkle.Tree:
    tree = merkle.Tree()
    held, stored = deque(sorted(roots.items())), entries.all_heads(reader)
    due = next(stored, None)
    for leaf in chain([None], sound_leaves(reader)):
        if leaf is not None:
            tree.append(leaf.hash)
        while held and held[0][0] == tree.size:
            _same_root(tree, held.popleft()[1])
        while due is not None and due.size == tree.size:
            _same_root(tree, due.root.hex())
            due = next(stored, None)
            if due is not None and due.size < tree.size:
                raise TamperedError(f"The stored head {due.id} is older than the one before.", NEXT_STEP)
    if due is not None or held:
        missing = due.size if due else held[0][0]
        raise TamperedError(f"The ledger was cut: {tree.size} of {missing} leaves are left.", NEXT_STEP)
    newest = entries.newest_head(reader)
    if tree.size and (newest is None or newest.size != tree.size):
        raise TamperedError("The ledger holds leaves after its last head.", NEXT_STEP)
    return tree


def _same_root(tree: merkle.Tree, root: str) -> None:
    if tree.root().hex() != root.lower():
        raise TamperedError(f"The first {tree.size} leaves no longer have their known root.", NEXT_STEP)


def _verify_kind(reader: Reader, plan: KindPlan) -> tuple[int, int]:
    """Return how many records of a kind are in order, and how many of those could not be compared whole."""
    records, purged, last = 0, 0, 0
    while rows := reader.kept_after(plan, last, _BATCH):
        found = entries.entries_between(reader, plan.name, last, rows[-1].id)
        for row in rows:
            purged += _verify_record(plan, row, found.pop(row.id, None))
        _refuse_orphans(plan, found)
        records, last = records + len(rows), rows[-1].id
    _refuse_orphans(plan, entries.entries_between(reader, plan.name, last, None))
    return records, purged


def _refuse_orphans(plan: KindPlan, found: Mapping[int, Entry]) -> None:
    for number in found:
        raise TamperedError(f"The record of {called(plan.name, number)} is missing.", NEXT_STEP)


def _verify_record(plan: KindPlan, row: KeptRow, entry: Entry | None) -> bool:
    """Check one record against its entry; return whether a part of it could not be compared."""
    name = called(plan.name, row.id)
    if entry is None:
        raise TamperedError(f"There is no ledger entry for {name}.", NEXT_STEP)
    if entry.leaf_index is None and not entry.is_unsealed:
        raise TamperedError(f"The leaf of {name} is missing.", NEXT_STEP)
    if entry.seed and not row.purged and entry_body(plan, row.id, entry.seed, row.kept) == entry.body:
        return False
    committed = _committed(plan, row.id, entry.body)
    if entry.seed is None:
        return True
    for field in plan.fields:
        # A field that the entry does not name is younger than the entry.
        if field.name in row.purged or field.name not in committed:
            continue
        if commitment(entry.seed, field, row.kept[field.name]) != committed[field.name]:
            raise TamperedError(f"The field {field.name} of {name} was changed.", NEXT_STEP)
    return bool(row.purged)


def _committed(plan: KindPlan, number: int, body: str) -> dict[str, str]:
    """Return the commitments of an entry that must be of this record."""
    try:
        entry = json.loads(body)
        fields = {str(name): str(value) for name, value in entry["fields"].items()}
        belongs = entry["kind"] == plan.name and entry["id"] == number
    except (ValueError, KeyError, TypeError, AttributeError):
        fields, belongs = {}, False
    if not belongs:
        raise TamperedError(f"The ledger entry of {called(plan.name, number)} was changed.", NEXT_STEP)
    return fields
