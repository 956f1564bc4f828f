"""Rows of the database to kept values, and back: which statements, which columns, which seals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, select, type_coerce
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.types import NULLTYPE

from caselog.schema import METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql.dml import Insert

    from caselog.plans import KindPlan


class Statement:
    """One INSERT, compiled once; running it again costs no more than the driver's own call."""

    __slots__ = ("_names", "_returns", "sql")

    def __init__(self, insert: Insert, names: tuple[str, ...], dialect: Dialect) -> None:
        compiled = insert.compile(dialect=dialect, column_keys=list(names))
        self.sql = str(compiled)
        positions: list[str] | None = getattr(compiled, "positiontup", None)
        self._names = tuple(positions) if positions else None
        self._returns = " RETURNING " in self.sql

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int | None:
        """Insert one row; return the number that the database gave it, or None where it gave none."""
        if self._names is None:
            result = connection.exec_driver_sql(self.sql, dict(values))
        else:
            result = connection.exec_driver_sql(self.sql, tuple([values[name] for name in self._names]))
        if not self._returns:
            return None
        row = result.fetchone()
        result.close()
        return int(row[0]) if row else None


class Statements:
    """The statements of one case log, made when first asked for."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._inserts: dict[tuple[str, bool], Statement] = {}
        self._selects: dict[str, Select[Any]] = {}

    def insert(self, name: str, *, unless_there: bool = False) -> Statement:
        """Return the INSERT into a table; `unless_there` skips a row that breaks a unique rule."""
        found = self._inserts.get((name, unless_there))
        if found is None:
            found = self._inserts[name, unless_there] = self._make_insert(METADATA.tables[name], unless_there)
        return found

    def select(self, plan: KindPlan) -> Select[Any]:
        """Return the SELECT of a kind's raw columns, its number first."""
        found = self._selects.get(plan.table)
        if found is None:
            found = self._selects[plan.table] = _raw_select(plan)
        return found

    def _make_insert(self, table: Table, unless_there: bool) -> Statement:  # noqa: FBT001
        names = tuple(c.name for c in table.columns if c.name != "id")
        insert: Insert = table.insert()
        if unless_there:
            dialected = sqlite_insert if self._dialect.name == "sqlite" else postgresql_insert
            insert = dialected(table).on_conflict_do_nothing()
        if "id" in table.c:
            insert = insert.returning(table.c.id)
        return Statement(insert, names, self._dialect)


def _raw_select(plan: KindPlan) -> Select[Any]:
    """Select the driver's own values: a truth that somebody changed to 7 must not be read as true."""
    table = METADATA.tables[plan.table]
    columns = [type_coerce(table.c[field.column], NULLTYPE).label(field.column) for field in plan.fields]
    return select(table.c.id, *columns)
