"""The items of a notice as JSON lines (one object a line, UTF-8), for programs."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from exports.redact import Audience, Shown
from exports.wording import stamp

if TYPE_CHECKING:
    from exports.redact import Cut


def lines_bytes(cut: Cut) -> bytes:
    """Return one object an item with all its keys; what is withheld or not known is null.

    The public reads one object with counts by country, and no single item.
    """
    head = {"practice": cut.heading.practice, "tlp": f"TLP:{cut.heading.tlp}"}
    if cut.audience is Audience.PUBLIC:
        return _line(head | {"items": dict(cut.totals)})
    head |= {"case": cut.heading.case_reference, "notice": cut.heading.uuid}
    return b"".join(_line(head | _values(item)) for item in cut.items)


def _values(item: Shown) -> dict[str, Any]:
    found = {field.name: getattr(item, field.name) for field in fields(Shown)}
    return {name: stamp(value) if isinstance(value, datetime) else value for name, value in found.items()}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
