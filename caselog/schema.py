"""The tables of the case log: one for each kind of record, and those that may change.

Record tables are generated from the record classes. `addresses`, keys, the frontier, caches and limiters
are the only tables whose rows may change; the rest is append-only by trigger.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from caselog.plans import MOMENT_LENGTH, PLANS, FieldPlan, Form, KindPlan, moment_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
TAG_BYTES = 32
CIPHERTEXT_BYTES = 66_000
FRONTIER_BYTES = 2200
CHOICE_LENGTH = 40
ENTRY_LENGTH = 8000
CALL_LENGTH = 8000
CALL_COUNTS = (
    "pages",
    "evidence",
    "proposals",
    "requests",
    "refused_media",
    "bytes",
    "onions_put_off",
    "put_off",
)
"""What is counted for each site of a call to crawl."""
REVISION = "0002"
"""The newest migration, which this version of the program works with."""
PERMANENT_FACT = "mode"
"""The fact that no statement may change: whether the workspace is for practice."""
LEDGER_TABLES = ("entries", "leaves", "heads")


class UtcText(TypeDecorator[datetime]):
    """A time as ISO 8601 text in UTC; SQLite's own type drops the zone. Naive times are refused."""

    impl = String(MOMENT_LENGTH)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text that is kept."""
        del dialect
        return None if value is None else moment_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the aware time."""
        del dialect
        return None if value is None else datetime.fromisoformat(value)


def number_type() -> TypeEngine[int]:
    """Return the type of row numbers; SQLite counts up by itself only in plain INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")


def _identity() -> Column[int]:
    return Column("id", number_type(), primary_key=True, autoincrement=True)


def _reference(name: str, table: str, *, nullable: bool = False, primary_key: bool = False) -> Column[int]:
    return Column(name, number_type(), ForeignKey(f"{table}.id"), nullable=nullable, primary_key=primary_key)


def field_type(plan: FieldPlan) -> TypeEngine[Any]:
    """Return the column type of a field that is not sealed."""
    bounded: dict[Form, TypeEngine[Any]] = {
        Form.INTEGER: BigInteger(),
        Form.REAL: Float(53),
        Form.FLAG: Boolean(),
        Form.TEXT: String(plan.limit),
        Form.LISTING: String(plan.limit),
        Form.CHOICE: String(CHOICE_LENGTH),
        Form.OCTETS: LargeBinary(plan.limit),
        Form.MOMENT: UtcText(),
    }
    return bounded[plan.form]


def _column(plan: FieldPlan) -> Column[Any]:
    if plan.sealed:
        return _reference(plan.column, "addresses", nullable=plan.may_be_null())
    if plan.refers_to:
        return _reference(plan.column, plan.refers_to, nullable=plan.optional)
    return Column(plan.column, field_type(plan), nullable=plan.may_be_null())


def _indexed(plan: FieldPlan) -> bool:
    """Index what look-ups go by; each index makes every insert dearer."""
    if plan.refers_to:
        return not plan.name.startswith(("parent_", "previous_", "first_", "other_"))
    return plan.tagged or plan.name in {"subject_id", "name", "due_at"}


def _record_table(metadata: MetaData, plan: KindPlan) -> Table:
    table = Table(plan.table, metadata, _identity(), *map(_column, plan.fields), sqlite_autoincrement=True)
    for field in plan.fields:
        if _indexed(field):
            Index(None, table.c[field.column])
    return table


def _vault_tables(metadata: MetaData) -> None:
    Table(
        "data_keys",
        metadata,
        _identity(),
        Column("lead_id", BigInteger(), unique=True),
        Column("wrapped", LargeBinary(128), nullable=False),
        Column("destroyed_at", UtcText()),
        sqlite_autoincrement=True,
    )
    Table(
        "addresses",
        metadata,
        _identity(),
        _reference("key_id", "data_keys"),
        Column("ciphertext", LargeBinary(CIPHERTEXT_BYTES), nullable=False),
        Column("tag", LargeBinary(TAG_BYTES)),
        UniqueConstraint("key_id", "tag"),
        Index(None, "tag"),
        sqlite_autoincrement=True,
    )
    Table(
        "sites",
        metadata,
        _identity(),
        _reference("host_id", "addresses"),
        Column("tag", LargeBinary(TAG_BYTES), nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    Table(
        "meta",
        metadata,
        Column("key", String(64), primary_key=True),
        Column("value", String(200), nullable=False),
    )


def _crawl_tables(metadata: MetaData) -> None:
    queue = Table(
        "frontier",
        metadata,
        _identity(),
        _reference("site_id", "sites"),
        _reference("lead_id", "leads"),
        Column("url_tag", LargeBinary(TAG_BYTES), nullable=False),
        Column("url_enc", LargeBinary(FRONTIER_BYTES), nullable=False),
        _reference("key_id", "data_keys"),
        Column("state", String(10), nullable=False),
        Column("priority", Float(53), nullable=False),
        Column("depth", Integer(), nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("round", Integer(), nullable=False),
        _reference("parent_id", "pages", nullable=True),
        Column("pattern", String(64), nullable=False),
        Column("due_at", UtcText()),
        UniqueConstraint("site_id", "url_tag"),
        CheckConstraint("state IN ('pending', 'done', 'failed')", name="state"),
        Index("ix_frontier_lead_id", "lead_id"),
        sqlite_autoincrement=True,
    )
    Index("ix_frontier_next", queue.c.site_id, queue.c.state, queue.c.priority.desc(), queue.c.id)
    Table(
        "site_slots",
        metadata,
        _reference("site_id", "sites", primary_key=True),
        Column("epoch", BigInteger(), nullable=False),
        Column("holder", String(64), nullable=False),
    )
    Table(
        "holds",
        metadata,
        Column("tag", LargeBinary(TAG_BYTES), primary_key=True),
        Column("holder", String(64), nullable=False),
        Column("until_s", Float(53), nullable=False),
        Column("free_s", Float(53), nullable=False),
        Index(None, "holder"),
    )
    Table(
        "crawl_calls",
        metadata,
        _identity(),
        Column("lead_ids", String(CALL_LENGTH), nullable=False),
        Column("pages_left", Integer()),
        Column("ends_at", UtcText()),
        Column("made_at", UtcText(), nullable=False),
        Column("followed_at", UtcText()),
        sqlite_autoincrement=True,
    )
    Table(
        "call_sites",
        metadata,
        _reference("call_id", "crawl_calls", primary_key=True),
        _reference("site_id", "sites", primary_key=True),
        Column("slices", Integer(), nullable=False),
        Column("is_open", Boolean(), nullable=False),
        Column("due_at", UtcText()),
        Column("good_at", UtcText()),
        *(Column(name, BigInteger(), nullable=False) for name in CALL_COUNTS),
        Column("cpu_s", Float(53), nullable=False),
        Index("ix_call_sites_open", "is_open", "call_id"),
    )
    Table(
        "site_frames",
        metadata,
        _reference("site_id", "sites", primary_key=True),
        Column("tag", LargeBinary(16), primary_key=True),
        Column("seen", Integer(), nullable=False),
    )
    Table(
        "site_patterns",
        metadata,
        _reference("site_id", "sites", primary_key=True),
        Column("pattern", String(64), primary_key=True),
        Column("asked", Integer(), nullable=False),
        Column("gained", Float(53), nullable=False),
        Column("refused", Integer(), nullable=False),
    )


def _index_tables(metadata: MetaData) -> None:
    Table(
        "evidence_blocks",
        metadata,
        Column("tag", LargeBinary(16), primary_key=True),
        _reference("evidence_id", "evidence", primary_key=True),
        sqlite_with_rowid=False,
    )
    Table(
        "evidence_shingles",
        metadata,
        Column("epoch", Integer(), primary_key=True, autoincrement=False),
        Column("hash", BigInteger(), primary_key=True, autoincrement=False),
        _reference("evidence_id", "evidence", primary_key=True),
        sqlite_with_rowid=False,
    )


def _look_up_tables(metadata: MetaData) -> None:
    Table(
        "lookup_cache",
        metadata,
        _identity(),
        Column("kind", String(16), nullable=False),
        Column("key_tag", LargeBinary(TAG_BYTES), nullable=False),
        Column("first", LargeBinary(16)),
        Column("last", LargeBinary(16)),
        _reference("sealed_id", "addresses"),
        Column("fetched_at", UtcText(), nullable=False),
        Column("expires_at", UtcText(), nullable=False),
        UniqueConstraint("kind", "key_tag"),
        Index("ix_lookup_cache_range", "kind", "first", "last"),
    )
    Table(
        "limiters",
        metadata,
        Column("name", String(64), primary_key=True),
        Column("tokens", Float(53), nullable=False),
        Column("at", UtcText(), nullable=False),
    )


def _ledger_tables(metadata: MetaData) -> None:
    Table(
        "entries",
        metadata,
        _identity(),
        Column("kind", String(20), nullable=False),
        Column("record_id", BigInteger(), nullable=False),
        Column("body", String(ENTRY_LENGTH), nullable=False),
        UniqueConstraint("kind", "record_id"),
        sqlite_autoincrement=True,
    )
    Table(
        "salts",
        metadata,
        Column("entry_id", number_type(), ForeignKey("entries.id"), primary_key=True, autoincrement=False),
        Column("seed", LargeBinary(32), nullable=False),
    )
    Table(
        "unsealed",
        metadata,
        Column("entry_id", number_type(), ForeignKey("entries.id"), primary_key=True, autoincrement=False),
    )
    Table(
        "leaves",
        metadata,
        Column("leaf_index", number_type(), primary_key=True, autoincrement=False),
        Column("entry_id", number_type(), ForeignKey("entries.id"), nullable=False, unique=True),
        Column("leaf_hash", LargeBinary(32), nullable=False),
        CheckConstraint("leaf_index >= 0", name="index"),
    )
    Table(
        "heads",
        metadata,
        _identity(),
        Column("size", BigInteger(), nullable=False),
        Column("root", LargeBinary(32), nullable=False),
        Column("peaks", LargeBinary(32 * 64), nullable=False),
        Column("at", UtcText(), nullable=False),
        sqlite_autoincrement=True,
    )


def build_metadata() -> MetaData:
    """Return every table of the case log."""
    metadata = MetaData(naming_convention=NAMING)
    _vault_tables(metadata)
    for plan in PLANS.values():
        _record_table(metadata, plan)
    _ledger_tables(metadata)
    _crawl_tables(metadata)
    _index_tables(metadata)
    _look_up_tables(metadata)
    return metadata


METADATA = build_metadata()
APPEND_ONLY = (*(plan.table for plan in PLANS.values()), *LEDGER_TABLES)
"""Tables whose rows no statement may change or delete."""


addresses = METADATA.tables["addresses"]
data_keys = METADATA.tables["data_keys"]
sites = METADATA.tables["sites"]
meta = METADATA.tables["meta"]
frontier = METADATA.tables["frontier"]
site_slots = METADATA.tables["site_slots"]
holds = METADATA.tables["holds"]
crawl_calls = METADATA.tables["crawl_calls"]
call_sites = METADATA.tables["call_sites"]
site_frames = METADATA.tables["site_frames"]
site_patterns = METADATA.tables["site_patterns"]
evidence_blocks = METADATA.tables["evidence_blocks"]
evidence_shingles = METADATA.tables["evidence_shingles"]
lookup_cache = METADATA.tables["lookup_cache"]
limiters = METADATA.tables["limiters"]
entries = METADATA.tables["entries"]
salts = METADATA.tables["salts"]
unsealed = METADATA.tables["unsealed"]
leaves = METADATA.tables["leaves"]
heads = METADATA.tables["heads"]
