"""The case log: read records, append records, each with its ledger entry, in transactions."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from caselog import schema
from caselog.commitments import SEED_BYTES, entry_body
from caselog.errors import ConfigError, IntakeError, RefusedError, SourceError, TamperedError
from caselog.plans import PLANS, FieldPlan, Form, Kept, KindPlan, keep
from caselog.records.choices import Subject
from caselog.records.leads import Lead
from caselog.records.people import Decision
from caselog.store.engine import BEGIN, connect, own_errors
from caselog.store.revision import check_revision
from caselog.store.rows import Statements
from caselog.store.seals import SealMemory, Seals
from caselog.vault import PURGED, Keys, Vault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

R = TypeVar("R")
# One way to the server and back instead of three.
_ENTER_AT_ONCE = """
WITH entry AS (
  INSERT INTO entries (kind, record_id, body) VALUES (%(kind)s, %(record_id)s, %(body)s) RETURNING id
), salt AS (INSERT INTO salts (entry_id, seed) SELECT id, %(seed)s FROM entry)
INSERT INTO unsealed (entry_id) SELECT id FROM entry
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRow:
    """One record as it is kept, opened; `purged` names the fields whose data key was destroyed."""

    id: int
    kept: Mapping[str, Kept]
    purged: frozenset[str]


class Reader:
    """Reads records in one transaction: what it sees does not change meanwhile."""

    def __init__(self, connection: Connection, memory: SealMemory) -> None:
        self.connection = connection
        self.vault = Seals(memory)
        self._statements = memory.statements

    def get(self, kind: type[R], number: int) -> R:
        """Return the record of a kind with this number.

        Raises:
            IntakeError: There is none.
        """
        found = self.find(kind, id=number)
        if not found:
            name = PLANS[kind].name.lower()
            raise IntakeError(
                f"There is no {name} {number}.", f"List what there is: leadline {_plural(kind)} list."
            )
        return found[0]

    def find(
        self, kind: type[R], *, newest_first: bool = False, limit: int | None = None, **equals: Any
    ) -> list[R]:
        """Return the records whose fields equal these values, by ascending number.

        Args:
            kind: The record class.
            newest_first: By descending number instead.
            limit: How many at most.
            equals: Field names and values; a tuple, list or set stands for any of its members. Sealed
                fields only where they are tagged.

        Raises:
            ConfigError: A field is unknown, or is sealed without a tag.
            TamperedError: A stored row cannot be read.
        """
        plan = PLANS[kind]
        query = self._where(plan, self._statements.select(plan), equals)
        number = schema.METADATA.tables[plan.table].c.id
        query = query.order_by(number.desc() if newest_first else number).limit(limit)
        return [_restored(plan, row) for row in self._opened(plan, self.connection.execute(query).all())]

    def latest(self, kind: type[R], **equals: Any) -> R | None:
        """Return the newest record whose fields equal these values, or None."""
        found = self.find(kind, newest_first=True, limit=1, **equals)
        return found[0] if found else None

    def count(self, kind: type[Any], **equals: Any) -> int:
        """Return how many records have fields that equal these values."""
        plan = PLANS[kind]
        query = sa.select(sa.func.count()).select_from(schema.METADATA.tables[plan.table])
        return int(self.connection.execute(self._where(plan, query, equals)).scalar_one())

    def kept_after(self, plan: KindPlan, number: int, limit: int) -> list[KeptRow]:
        """Return the next records of a kind after `number` as they are kept, for checks of the whole log."""
        column = schema.METADATA.tables[plan.table].c.id
        query = self._statements.select(plan).where(column > number).order_by(column).limit(limit)
        return self._opened(plan, self.connection.execute(query).all())

    def fact(self, key: str) -> str | None:
        """Return a fact about the workspace, or None."""
        query = sa.select(schema.meta.c.value).where(schema.meta.c.key == key)
        return self.connection.execute(query).scalar_one_or_none()

    def _where(self, plan: KindPlan, query: sa.Select[Any], equals: Mapping[str, Any]) -> sa.Select[Any]:
        for name, value in equals.items():
            query = query.where(self._condition(plan, name, value))
        return query

    def _condition(self, plan: KindPlan, name: str, value: Any) -> sa.ColumnElement[bool]:
        table = schema.METADATA.tables[plan.table]
        field = plan.field(name)
        if name == "id":
            return table.c.id.in_(list(value)) if _is_many(value) else table.c.id == value
        if field is None or (field.sealed and not field.tagged):
            raise ConfigError(
                f"A {plan.name.lower()} cannot be looked up by {name}.", "Look up by another field."
            )
        column: sa.ColumnElement[Any] = table.c[field.column]
        if field.form is Form.MOMENT:
            column = sa.type_coerce(column, sa.String())
        many = list(value) if _is_many(value) and field.form is not Form.LISTING else None
        if field.sealed and value is not None:
            texts = many if many is not None else [value]
            return column.in_(self.vault.addresses_of(self.connection, field.purpose, texts))
        if many is not None:
            return column.in_([_looked_up(plan, field, one) for one in many])
        return column.is_(None) if value is None else column == _looked_up(plan, field, value)

    def _opened(self, plan: KindPlan, rows: Sequence[Any]) -> list[KeptRow]:
        purposes: dict[int, str] = {}
        places = [(at, field) for at, field in enumerate(plan.fields, start=1) if field.sealed]
        for row in rows:
            purposes.update({row[at]: field.purpose for at, field in places if row[at] is not None})
        texts = self.vault.open_addresses(self.connection, purposes) if purposes else {}
        return [_opened_row(plan, row, texts) for row in rows]


class Writer(Reader):
    """Reads, and appends records; all or nothing of a transaction is kept."""

    def append(self, record: R) -> R:
        """Add a record and its ledger entry; return the record with its number.

        Raises:
            IntakeError: A field is too long or of the wrong type, or refers to a record that does not exist.
            RefusedError: The data key of its lead was destroyed.
        """
        plan = PLANS[type(record)]
        kept = plan.keep(record)
        key_id = self._key_id(record) if plan.sealed else 0
        number = self._statements.insert(plan.table).run(self.connection, self._columns(plan, kept, key_id))
        if number is None:
            raise SourceError("The database gave a record no number.", "Run leadline doctor.")
        if isinstance(record, Lead):
            self.vault.give_key(self.connection, key_id, number)
        self._enter(plan, number, kept)
        return replace(record, id=number)  # type: ignore[type-var]  # every kind in PLANS is a dataclass

    def insert_new(
        self, table: sa.Table, rows: Sequence[Mapping[str, Any]], conflict_columns: Sequence[str]
    ) -> int:
        """Insert the rows that a mutable table does not have yet, and return how many those were."""
        if not rows:
            return 0
        dialected = sqlite_insert if self.connection.dialect.name == "sqlite" else postgresql_insert
        insert = dialected(table).on_conflict_do_nothing(index_elements=list(conflict_columns))
        plain = [dict(row) for row in rows]
        options = {"preserve_rowcount": True}
        return self.connection.execute(insert, plain, execution_options=options).rowcount

    def set_fact(self, key: str, value: str) -> None:
        """Write a fact about the workspace; its permanent mark is written once.

        Raises:
            RefusedError: The fact is permanent and says otherwise.
        """
        there = self.fact(key)
        if there == value:
            return
        if there is None:
            self.connection.execute(schema.meta.insert().values(key=key, value=value))
            return
        if key == schema.PERMANENT_FACT:
            raise RefusedError(
                "The mark of a workspace never changes.", "Make a new workspace.", code="permanent"
            )
        self.connection.execute(schema.meta.update().where(schema.meta.c.key == key).values(value=value))

    def lock(self, name: str) -> None:
        """Let no other transaction that asks for the same lock run until this one ends."""
        if self.connection.dialect.name == "postgresql":
            number = int.from_bytes(self.vault.tag("lock", name)[:8], "big", signed=True)
            self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    def _key_id(self, record: Any) -> int:
        if isinstance(record, Lead):
            return self.vault.new_key(self.connection, None)
        if isinstance(record, Decision) and record.subject is Subject.LEAD:
            return self.vault.key_id(self.connection, record.subject_id)
        return self.vault.key_id(self.connection, getattr(record, "lead_id", None))

    def _columns(self, plan: KindPlan, kept: Mapping[str, Kept], key_id: int) -> dict[str, Kept]:
        columns = dict(kept)
        for field in plan.sealed:
            text = columns.pop(field.name)
            is_empty = text is None or (text == "[]" and field.form is Form.LISTING)
            columns[field.column] = (
                None if is_empty else self.vault.address_id(self.connection, key_id, field.purpose, str(text))
            )
        return columns

    def _enter(self, plan: KindPlan, number: int, kept: Mapping[str, Kept]) -> None:
        seed = os.urandom(SEED_BYTES)
        body = entry_body(plan, number, seed, kept)
        values = {"kind": plan.name, "record_id": number, "body": body}
        if self.connection.dialect.name == "postgresql":
            self.connection.exec_driver_sql(_ENTER_AT_ONCE, {**values, "seed": seed})
            return
        insert = self._statements.insert
        entry = insert("entries").run(self.connection, values)
        insert("salts").run(self.connection, {"entry_id": entry, "seed": seed})
        insert("unsealed").run(self.connection, {"entry_id": entry})


class CaseLog:
    """The opened case log of a workspace."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._memory = SealMemory(Vault(keys), Statements(engine.dialect))

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """Give a writer for one transaction: committed at the end, rolled back on an error.

        Raises:
            SourceError: The database is busy, full or cannot be reached.
        """
        with own_errors(), self._engine.connect() as raw:
            connection = raw.execution_options(**{BEGIN: "IMMEDIATE"})
            writer = Writer(connection, self._memory)
            try:
                with connection.begin():
                    yield from _undone_on_error(writer)
            except BaseException:
                writer.vault.undo()
                raise
            writer.vault.settle()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Give a reader that sees the log as it stands now until the end.

        Raises:
            SourceError: The database is busy or cannot be reached.
        """
        with own_errors(), self._engine.connect() as raw:
            connection = raw
            if self._engine.dialect.name == "postgresql":
                connection = raw.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield Reader(connection, self._memory)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_case_log(url: str, keys: Keys) -> CaseLog:
    """Open the case log at a database address.

    Raises:
        ConfigError: The database is missing, is no case log, or belongs to an older or newer version.
        SourceError: It cannot be reached.
    """
    engine = connect(url, must_exist=True)
    try:
        check_revision(engine)
    except BaseException:
        engine.dispose()
        raise
    return CaseLog(engine, keys)


def create_case_log(url: str, keys: Keys) -> CaseLog:
    """Make the case log at a database address, or bring an older one up to date, and open it.

    Raises:
        ConfigError: The database cannot be made.
        SourceError: It cannot be reached.
    """
    # Alembic is slow to import and only needed here.
    from caselog.migrations.run import upgrade  # noqa: PLC0415

    engine = connect(url, must_exist=False)
    with own_errors():
        upgrade(engine)
    engine.dispose()
    log = open_case_log(url, keys)
    with log.write() as writer:
        writer.vault.key_id(writer.connection, None)
    return log


def _undone_on_error(writer: Writer) -> Iterator[Writer]:
    """Yield the writer; forget what it made before a rollback frees the numbers for others."""
    try:
        yield writer
    except BaseException:
        writer.vault.undo()
        raise


def _opened_row(plan: KindPlan, row: Any, texts: Mapping[int, str | None]) -> KeptRow:
    kept: dict[str, Kept] = {}
    purged: set[str] = set()
    for field, value in zip(plan.fields, row[1:], strict=True):
        if not field.sealed:
            kept[field.name] = value
        elif value is None:
            kept[field.name] = "[]" if field.form is Form.LISTING and not field.optional else None
        elif (text := texts[value]) is not None:
            kept[field.name] = text
        else:
            purged.add(field.name)
            kept[field.name] = "[]" if field.form is Form.LISTING else PURGED
    return KeptRow(id=row[0], kept=kept, purged=frozenset(purged))


def _restored(plan: KindPlan, row: KeptRow) -> Any:
    try:
        return plan.record(row.id, row.kept)
    except (ValueError, TypeError):
        raise TamperedError(
            f"The stored {plan.name.lower()} {row.id} cannot be read.", "Run leadline ledger verify."
        ) from None


def _looked_up(plan: KindPlan, field: FieldPlan, value: Any) -> Kept:
    try:
        return keep(field, value)
    except (ValueError, TypeError, AttributeError):
        raise ConfigError(
            f"A {plan.name.lower()} cannot have that {field.name}.", "Look up another value."
        ) from None


def _is_many(value: Any) -> bool:
    return isinstance(value, tuple | list | set | frozenset)


def _plural(kind: type[Any]) -> str:
    return PLANS[kind].table.replace("_", "-")
