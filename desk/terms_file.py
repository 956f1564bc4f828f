"""Read the operator's own rules from a terms file; what they say is never logged, printed or kept in clear.

In: CSV with `id,term,weight,kind`. Out: `Rule` records of a new version, which replaces the earlier one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caselog.records.pages import Rule
from desk.intake_formats import BadRow, Columns, Row, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from caselog.store.log import Reader, Writer

COLUMNS = Columns(required=("id", "term"), optional=("weight", "kind"))
KINDS = ("word", "phrase")
ID_CHARACTERS = 120
TERM_CHARACTERS = 500
GREATEST_WEIGHT = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One checked term."""

    line: int
    external_id: str
    term: str
    weight: float
    kind: str


def check_terms(rows: Iterable[Row | BadRow], normalise: Callable[[str], str]) -> Iterator[Term | BadRow]:
    """Give each row as a term, or as bad with its reason; the second of two equal ids or terms is bad.

    Args:
        rows: As read.
        normalise: The form in which terms meet pages; what becomes empty there can never match.

    """
    ids: set[str] = set()
    forms: set[str] = set()
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        form = normalise(row.fields["term"])
        fault = _fault(row.fields, form, ids, forms)
        if fault:
            yield BadRow(line=row.line, code=fault[0], reason=fault[1], raw=cut(row.raw))
            continue
        ids.add(row.fields["id"])
        forms.add(form)
        yield _term(row, form)


def newest_rules(reader: Reader) -> list[Rule]:
    """Return the rules of the newest version, or none."""
    newest = reader.latest(Rule)
    return [] if newest is None else reader.find(Rule, version=newest.version)


def replace_rules(writer: Writer, terms: Iterable[Term], *, added_by: str, now: datetime) -> int:
    """Append a new version with these terms and return its number.

    A term keeps the number that its id had in earlier versions, so that a number always means the same id.
    """
    earlier = writer.find(Rule)
    numbers = {rule.external_id: rule.number for rule in earlier}
    version = max((rule.version for rule in earlier), default=0) + 1
    for term in terms:
        number = numbers.setdefault(term.external_id, max(numbers.values(), default=0) + 1)
        writer.append(
            Rule(
                version=version,
                number=number,
                external_id=term.external_id,
                term=term.term,
                weight=term.weight,
                kind=term.kind,
                added_by=added_by,
                added_at=now,
            )
        )
    return version


def _term(row: Row, form: str) -> Term:
    kind = row.fields.get("kind", "").lower()
    is_word = form.isalnum() and kind != "phrase"
    return Term(
        line=row.line,
        external_id=row.fields["id"],
        term=row.fields["term"],
        weight=float(row.fields.get("weight", "1")),
        kind="word" if is_word else "phrase",
    )


def _fault(fields: Mapping[str, str], form: str, ids: set[str], forms: set[str]) -> tuple[str, str] | None:
    if len(fields["id"]) > ID_CHARACTERS or len(fields["term"]) > TERM_CHARACTERS:
        return "too_long", f"An id has at most {ID_CHARACTERS} characters, a term {TERM_CHARACTERS}."
    if not form:
        return "empty_term", "Nothing is left of the term after normalising, so it can never match."
    if fields.get("kind", KINDS[0]).lower() not in KINDS:
        return "kind", "The kind is neither word nor phrase."
    if not _is_weight(fields.get("weight", "1")):
        return "weight", f"The weight is no number above 0 and up to {GREATEST_WEIGHT:g}."
    if fields["id"] in ids or form in forms:
        return "duplicate", "An earlier row has the same id, or the same term after normalising."
    return None


def _is_weight(text: str) -> bool:
    try:
        weight = float(text)
    except ValueError:
        return False
    return math.isfinite(weight) and 0 < weight <= GREATEST_WEIGHT
