"""How each kind of record is kept: one plan a field, read from the record's annotations and marks.

A *kept* value is what stands in a column, or under a seal: text, a number, a truth, bytes or None. Lists
are kept as canonical JSON, times as ISO 8601 text in UTC with microseconds, choices as their value.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NewType, TypeAlias, Union, get_args, get_origin, get_type_hints

from caselog.errors import IntakeError
from caselog.fields import MAX, PURPOSE, SEALED, TAGGED
from caselog.records.kinds import RECORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

Kept: TypeAlias = str | int | float | bool | bytes | None
VALUE_PURPOSE = "value"
MOMENT_LENGTH = 27
_WIDEST = 2**63
_IRREGULAR = {"Evidence": "evidence", "Hosting": "hosting"}
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
canonical_json = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


class Form(Enum):
    """How a field's value is kept."""

    REFERENCE = auto()
    INTEGER = auto()
    REAL = auto()
    FLAG = auto()
    TEXT = auto()
    CHOICE = auto()
    LISTING = auto()
    OCTETS = auto()
    MOMENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """How one field of one kind of record is kept."""

    name: str
    column: str
    form: Form
    limit: int
    optional: bool
    sealed: bool
    tagged: bool
    purpose: str
    choice: type[Enum] | None
    refers_to: str | None
    """The table that the number points into."""

    def may_be_null(self) -> bool:
        """Tell whether the column may hold NULL; an empty sealed list is kept as NULL."""
        return self.optional or (self.sealed and self.form is Form.LISTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPlan:
    """How one kind of record is kept."""

    kind: type[Any]
    name: str
    table: str
    fields: tuple[FieldPlan, ...]
    """All but the record's own number, in the order of the class."""
    sealed: tuple[FieldPlan, ...]

    def field(self, name: str) -> FieldPlan | None:
        """Return the plan of the field called `name`, or None."""
        return next((plan for plan in self.fields if plan.name == name), None)

    def keep(self, record: Any) -> dict[str, Kept]:
        """Return each field's kept value, checked against its limit.

        Raises:
            IntakeError: A value is too long, of the wrong type, or cannot be kept; names kind and field.
        """
        kept: dict[str, Kept] = {}
        for plan in self.fields:
            try:
                kept[plan.name] = keep(plan, getattr(record, plan.name))
            except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
                raise IntakeError(
                    f"The field {plan.name} of a {self.name.lower()} cannot be kept: {_why(error)}.",
                    "Give a value that fits the field.",
                ) from None
        return kept

    def record(self, number: int, kept: Mapping[str, Kept]) -> Any:
        """Return the record whose kept values these are; the reverse of `keep`.

        Raises:
            ValueError, TypeError: A kept value is not one that `keep` makes.
        """
        values = {plan.name: restore(plan, kept[plan.name]) for plan in self.fields}
        return self.kind(id=number, **values)


class _MisfitError(ValueError):
    """A value does not fit; its message holds no part of the value."""


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _MisfitError) else "its type or form is wrong"


def keep(plan: FieldPlan, value: Any) -> Kept:
    """Return the kept form of `value`.

    Raises:
        ValueError, TypeError: The value does not fit the plan.
    """
    if value is None:
        if not plan.optional:
            raise _MisfitError("a value is required")
        return None
    return _KEEPERS[plan.form](plan, value)


def restore(plan: FieldPlan, kept: Any) -> Any:
    """Return the value that was kept as `kept`.

    Raises:
        ValueError, TypeError: It is not a kept value of this plan.
    """
    if kept is None:
        return () if plan.form is Form.LISTING and not plan.optional else None
    if plan.form is Form.CHOICE and plan.choice:
        return plan.choice(kept)
    if plan.form is Form.MOMENT:
        return datetime.fromisoformat(kept)
    if plan.form is Form.LISTING:
        return tuple(json.loads(kept))
    if plan.form is Form.FLAG:
        return bool(kept)
    return kept


def moment_text(moment: datetime) -> str:
    """Return a time as ISO 8601 text in UTC with microseconds: of fixed width, so it sorts as text.

    Raises:
        ValueError: The time has no zone.
    """
    if moment.tzinfo is None:
        raise _MisfitError("the time has no zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _keep_integer(_plan: FieldPlan, value: Any) -> Kept:
    number = int(value)
    if number != value:
        raise _MisfitError("it is not a whole number")
    if not -_WIDEST <= number < _WIDEST:
        raise _MisfitError("it is too great")
    return number


def _keep_real(_plan: FieldPlan, value: Any) -> Kept:
    number = float(value)
    if not math.isfinite(number):
        raise _MisfitError("it is not a finite number")
    return number


def _keep_flag(_plan: FieldPlan, value: Any) -> Kept:
    if value is not True and value is not False:
        raise _MisfitError("it is neither true nor false")
    return bool(value)


def _keep_text(plan: FieldPlan, value: Any) -> Kept:
    if not isinstance(value, str):
        raise _MisfitError("it is not text")
    if len(value) > plan.limit:
        raise _MisfitError(f"it is longer than {plan.limit} characters")
    if _UNKEEPABLE.search(value):
        raise _MisfitError("it holds a NUL or half a surrogate pair")
    return str(value)


def _keep_choice(plan: FieldPlan, value: Any) -> Kept:
    if plan.choice is None:
        raise _MisfitError("it has no choices")
    return str(plan.choice(value).value)


def _keep_listing(plan: FieldPlan, value: Any) -> Kept:
    if not isinstance(value, tuple | list):
        raise _MisfitError("it is not a list")
    text = canonical_json(list(value))
    if len(text) > plan.limit:
        raise _MisfitError(f"its JSON is longer than {plan.limit} characters")
    return text


def _keep_octets(plan: FieldPlan, value: Any) -> Kept:
    if len(value) > plan.limit:
        raise _MisfitError(f"it is longer than {plan.limit} bytes")
    return bytes(memoryview(value))


def _keep_moment(_plan: FieldPlan, value: Any) -> Kept:
    return moment_text(value)


_KEEPERS = MappingProxyType(
    {
        Form.REFERENCE: _keep_integer,
        Form.INTEGER: _keep_integer,
        Form.REAL: _keep_real,
        Form.FLAG: _keep_flag,
        Form.TEXT: _keep_text,
        Form.CHOICE: _keep_choice,
        Form.LISTING: _keep_listing,
        Form.OCTETS: _keep_octets,
        Form.MOMENT: _keep_moment,
    }
)


def table_name(kind: str) -> str:
    """Return the name of the table that keeps records of the class called `kind`."""
    if kind in _IRREGULAR:
        return _IRREGULAR[kind]
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
    return snake[:-1] + "ies" if snake.endswith("y") else snake + "s"


def _plain_form(annotation: Any) -> Form:
    simple = {int: Form.INTEGER, float: Form.REAL, bool: Form.FLAG, str: Form.TEXT, bytes: Form.OCTETS}
    if isinstance(annotation, NewType):
        return Form.REFERENCE
    if get_origin(annotation) is tuple:
        return Form.LISTING
    if annotation is datetime:
        return Form.MOMENT
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Form.CHOICE
    return simple[annotation]


def _plan_field(field: dataclasses.Field[Any], annotation: Any) -> FieldPlan:
    optional = get_origin(annotation) in (Union, types.UnionType)
    if optional:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    form = _plain_form(annotation)
    is_sealed = bool(field.metadata.get(SEALED))
    return FieldPlan(
        name=field.name,
        column=f"{field.name}_id" if is_sealed else field.name,
        form=form,
        limit=field.metadata.get(MAX, 0),
        optional=optional,
        sealed=is_sealed,
        tagged=bool(field.metadata.get(TAGGED)),
        purpose=field.metadata.get(PURPOSE) or VALUE_PURPOSE,
        choice=annotation if form is Form.CHOICE else None,
        refers_to=table_name(annotation.__name__.removesuffix("Id")) if form is Form.REFERENCE else None,
    )


def plan_kind(kind: type[Any]) -> KindPlan:
    """Return the plan of a record class, read from its annotations and field marks."""
    hints = get_type_hints(kind)
    fields = tuple(_plan_field(f, hints[f.name]) for f in dataclasses.fields(kind) if f.name != "id")
    return KindPlan(
        kind=kind,
        name=kind.__name__,
        table=table_name(kind.__name__),
        fields=fields,
        sealed=tuple(plan for plan in fields if plan.sealed),
    )


PLANS: Mapping[type[Any], KindPlan] = MappingProxyType({kind: plan_kind(kind) for kind in RECORDS})
KINDS: Mapping[str, KindPlan] = MappingProxyType({plan.name: plan for plan in PLANS.values()})
