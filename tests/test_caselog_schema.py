"""No column is unbounded, and no statement changes or deletes an append-only row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from caselog import schema
from caselog.commitments import entry_body
from caselog.errors import RefusedError, SourceError
from caselog.plans import PLANS, Form
from caselog.records.kinds import RECORDS
from tests.caselog_samples import NOW, a_lead, filled

if TYPE_CHECKING:
    from caselog.store.log import CaseLog

COLUMNS = [column for table in schema.METADATA.tables.values() for column in table.columns]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_no_column_is_unbounded(column: sa.Column[object]) -> None:
    bounded = column.type.impl if isinstance(column.type, schema.UtcText) else column.type

    assert not isinstance(bounded, sa.Text | sa.JSON | sa.PickleType)
    if isinstance(bounded, sa.String | sa.LargeBinary):
        assert bounded.length
    else:
        assert isinstance(bounded, sa.Integer | sa.Float | sa.Boolean)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_the_entry_of_the_greatest_record_fits_its_column(kind: type) -> None:
    plan = PLANS[kind]

    assert len(entry_body(plan, 2**62, b"s" * 32, plan.keep(filled(kind)))) <= schema.ENTRY_LENGTH


def test_the_longest_sealed_value_fits_its_column() -> None:
    overhead = 12 + 16
    longest = max(f.limit * (1 if f.form is Form.LISTING else 4) for p in PLANS.values() for f in p.sealed)

    assert longest + overhead <= schema.CIPHERTEXT_BYTES


def test_sealed_fields_have_no_column_of_their_own() -> None:
    for plan in PLANS.values():
        for field in plan.sealed:
            assert field.name not in schema.METADATA.tables[plan.table].c
            key = next(iter(schema.METADATA.tables[plan.table].c[field.column].foreign_keys))
            assert key.column.table is schema.addresses


def _filled_log(log: CaseLog) -> None:
    from caselog.ledger import seal

    order = [table.name for table in schema.METADATA.sorted_tables]
    with log.write() as writer:
        a_lead(writer)
        for plan in sorted(PLANS.values(), key=lambda plan: order.index(plan.table)):
            writer.append(filled(plan.kind))
        seal(writer, now=NOW)


@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
def test_append_only_rows_are_neither_changed_nor_deleted(case_log: CaseLog, statement: str) -> None:
    _filled_log(case_log)
    for name in schema.APPEND_ONLY:
        column = next(iter(schema.METADATA.tables[name].primary_key)).name
        with pytest.raises(SourceError, match="append-only"), case_log.write() as writer:
            writer.connection.execute(sa.text(statement.format(f'"{name}"', column)))


def test_insert_or_replace_does_not_slip_past_the_triggers(sqlite_log: CaseLog) -> None:
    _filled_log(sqlite_log)
    for name in schema.APPEND_ONLY:
        columns = ", ".join(f'"{column.name}"' for column in schema.METADATA.tables[name].columns)
        copy = f'INSERT OR REPLACE INTO "{name}" ({columns}) SELECT {columns} FROM "{name}"'
        with pytest.raises(SourceError, match="append-only"), sqlite_log.write() as writer:
            writer.connection.execute(sa.text(copy))


def test_truncate_is_refused(case_log: CaseLog) -> None:
    _filled_log(case_log)
    with case_log.read() as reader:
        if reader.connection.dialect.name == "sqlite":
            return
    for name in schema.APPEND_ONLY:
        with pytest.raises(SourceError, match="append-only"), case_log.write() as writer:
            writer.connection.execute(sa.text(f'TRUNCATE "{name}" CASCADE'))


def test_salts_may_be_deleted_but_not_changed(case_log: CaseLog) -> None:
    _filled_log(case_log)
    with pytest.raises(SourceError, match="append-only"), case_log.write() as writer:
        writer.connection.execute(schema.salts.update().values(seed=b"0" * 32))
    with case_log.write() as writer:
        assert writer.connection.execute(schema.salts.delete()).rowcount > 0


def test_the_mark_of_a_workspace_is_written_once(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        writer.set_fact("mode", "practice")
        writer.set_fact("mode", "practice")
        writer.set_fact("note", "a")
        writer.set_fact("note", "b")
    with pytest.raises(RefusedError), case_log.write() as writer:
        writer.set_fact("mode", "live")
    for statement in ("UPDATE meta SET value = 'live'", "DELETE FROM meta"):
        with pytest.raises(SourceError, match="append-only"), case_log.write() as writer:
            writer.connection.execute(sa.text(statement))

    with case_log.read() as reader:
        assert (reader.fact("mode"), reader.fact("note"), reader.fact("none")) == ("practice", "b", None)


def test_naive_times_are_refused_in_mutable_tables_too(case_log: CaseLog) -> None:
    from caselog.errors import CaseError

    row = {"name": "rdap", "tokens": 1.0, "at": NOW.replace(tzinfo=None)}
    with pytest.raises(CaseError), case_log.write() as writer:
        writer.connection.execute(schema.limiters.insert().values(**row))
    with case_log.write() as writer:
        writer.connection.execute(schema.limiters.insert().values(**{**row, "at": NOW}))

    with case_log.read() as reader:
        assert reader.connection.execute(sa.select(schema.limiters.c.at)).scalar_one() == NOW
