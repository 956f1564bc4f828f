"""How a record's fields are kept: their greatest length, and whether the value is sealed.

The schema, the vault and the ledger read these marks, so that a record is described in one place.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

MAX = "max"
SEALED = "sealed"
TAGGED = "tagged"
PURPOSE = "purpose"


def text(limit: int, **keywords: Any) -> Any:
    """Return a field of at most `limit` characters; strings without a limit do not exist here."""
    return field(metadata={MAX: limit}, **keywords)


def octets(limit: int, **keywords: Any) -> Any:
    """Return a field of at most `limit` bytes."""
    return field(metadata={MAX: limit}, **keywords)


def listing(limit: int, **keywords: Any) -> Any:
    """Return a field kept as canonical JSON of at most `limit` characters."""
    return field(metadata={MAX: limit}, **keywords)


def sealed(limit: int = 4096, *, tagged: str = "", **keywords: Any) -> Any:
    """Return a field that is encrypted at rest and left out of `repr`.

    Args:
        limit: The greatest length of the plain value, in characters of its JSON form.
        tagged: The purpose of the equality tag (``url``, ``host``); empty for values never looked up.
        keywords: Passed on to `dataclasses.field`.

    """
    return field(
        metadata={MAX: limit, SEALED: True, TAGGED: bool(tagged), PURPOSE: tagged}, repr=False, **keywords
    )
