"""The items of a notice as CSV (RFC 4180, UTF-8), for a takedown team or a provider's own tools.

A spreadsheet runs a cell that begins like a formula, so such a cell gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from exports.redact import Audience
from exports.wording import PRACTICE_MARK, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from exports.redact import Cut, Shown

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")  # noqa: RUF001
"""How a cell begins that a spreadsheet may run; the apostrophe itself, so that the mark can be undone."""
_FACTS = (
    "item_id",
    "url",
    "host",
    "ip",
    "port",
    "classification",
    "legal_reference",
    "first_confirmed_at",
    "last_present_at",
    "redirects",
    "sha256",
    "keyed_sha256",
    "commitment",
    "size_bytes",
    "provider",
    "asn",
    "as_name",
    "network_name",
    "network_range",
    "network_handle",
    "resolved_at",
    "proxied",
    "country",
    "country_level",
)
COLUMNS = ("mark", "tlp", "case", "notice", *_FACTS)


def table_bytes(cut: Cut) -> bytes:
    """Return the items as CSV with a header line; lines end in CR LF.

    The public reads `country,items` and no single item. In a practice workspace every row carries the mark.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    if cut.audience is Audience.PUBLIC:
        writer.writerow(("mark", "country", "items"))
        writer.writerows([_mark(cut), guarded(name), count] for name, count in cut.totals)
        return out.getvalue().encode()
    writer.writerow(COLUMNS)
    writer.writerows(_row(cut, item) for item in cut.items)
    return out.getvalue().encode()


def guarded(cell: str) -> str:
    """Return the cell with an apostrophe in front where a spreadsheet might run it."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def unguarded(cell: str) -> str:
    """Return what `guarded` was given."""
    return cell.removeprefix("'")


def _row(cut: Cut, item: Shown) -> list[str]:
    head = (_mark(cut), f"TLP:{cut.heading.tlp}", cut.heading.case_reference, cut.heading.uuid)
    return [guarded(text) for text in (*head, *(_text(getattr(item, name)) for name in _FACTS))]


def _mark(cut: Cut) -> str:
    return PRACTICE_MARK if cut.heading.practice else ""


def _text(value: datetime | str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    return stamp(value)
