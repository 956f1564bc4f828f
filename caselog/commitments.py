"""Salted commitments to a record's fields, and the ledger entry that holds them.

For each record there is one random seed. A field's salt is HMAC-SHA-256 of the seed and the field's
name, and its commitment SHA-256 of the salt and the canonical bytes of the plain value. So an entry
discloses nothing, one field can be opened alone, and once the seed is destroyed nothing can be guessed
from what remains.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from caselog.plans import FieldPlan, Form, Kept, KindPlan, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

SEED_BYTES = 32
ENTRY_VERSION = 1


def field_salt(seed: bytes, name: str) -> bytes:
    """Return the salt of the field called `name`, 32 bytes."""
    return hmac.digest(seed, name.encode(), "sha256")


def canonical_value(plan: FieldPlan, kept: Kept) -> str:
    """Return the canonical JSON text of a kept value: bytes as hexadecimal, lists as they are kept."""
    if kept is None:
        return "null"
    if plan.form is Form.LISTING and isinstance(kept, str):
        return kept
    if isinstance(kept, bytes):
        return f'"{kept.hex()}"'
    if plan.form is Form.FLAG and kept in (0, 1):
        return "true" if kept else "false"
    return canonical_json(kept)


def plain_value(plan: FieldPlan, kept: Kept) -> Any:
    """Return a kept value as plain JSON data, for a stranger to read."""
    return json.loads(canonical_value(plan, kept))


def commitment(seed: bytes, plan: FieldPlan, kept: Kept) -> str:
    """Return the commitment to one field, in hexadecimal."""
    salt = hmac.digest(seed, plan.name.encode(), "sha256")
    return hashlib.sha256(salt + canonical_value(plan, kept).encode()).hexdigest()


def entry_body(plan: KindPlan, number: int, seed: bytes, kept: Mapping[str, Kept]) -> str:
    """Return the canonical JSON of a record's ledger entry: kind, number, a commitment a field."""
    fields = {field.name: commitment(seed, field, kept[field.name]) for field in plan.fields}
    return canonical_json({"fields": fields, "id": number, "kind": plan.name, "v": ENTRY_VERSION})
