"""Triggers that refuse to change or delete rows, in the words of SQLite and of PostgreSQL.

They stop mistakes and stray statements, not an administrator; the ledger finds what an administrator does.
Migrations that rebuild a guarded table must guard it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_REFUSAL = "this table is append-only"
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION leadline_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$
"""


def guard(dialect: str, tables: Iterable[str], *, mode_key: str, salts: str) -> list[str]:
    """Return the statements that make `tables` append-only, one fact permanent, and salts unchangeable.

    Args:
        dialect: `sqlite` or `postgresql`.
        tables: Tables where neither UPDATE nor DELETE is allowed.
        mode_key: The key in `meta` whose row may neither change nor go.
        salts: The table whose rows may be deleted (by a purge) but not changed.

    """
    make = _sqlite_trigger if dialect == "sqlite" else _postgresql_trigger
    statements = [] if dialect == "sqlite" else [_FUNCTION]
    for table in tables:
        statements += [make(table, "UPDATE"), make(table, "DELETE")]
        if dialect == "postgresql":
            statements.append(_truncate_trigger(table))
    statements.append(make(salts, "UPDATE"))
    statements += [make("meta", action, f"OLD.key = '{mode_key}'") for action in ("UPDATE", "DELETE")]
    return statements


def unguard(dialect: str) -> list[str]:
    """Return the statements that take away what is left of the guards once the tables are dropped."""
    return [] if dialect == "sqlite" else ["DROP FUNCTION IF EXISTS leadline_refuse()"]


def _name(table: str, action: str) -> str:
    return f"refuse_{action.lower()}_{table}"


def _sqlite_trigger(table: str, action: str, when: str = "") -> str:
    clause = f" WHEN {when}" if when else ""
    return (
        f'CREATE TRIGGER {_name(table, action)} BEFORE {action} ON "{table}"{clause} '
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )


def _postgresql_trigger(table: str, action: str, when: str = "") -> str:
    clause = f" WHEN ({when})" if when else ""
    return (
        f'CREATE TRIGGER {_name(table, action)} BEFORE {action} ON "{table}" FOR EACH ROW{clause} '
        "EXECUTE FUNCTION leadline_refuse()"
    )


def _truncate_trigger(table: str) -> str:
    return (
        f'CREATE TRIGGER {_name(table, "TRUNCATE")} BEFORE TRUNCATE ON "{table}" FOR EACH STATEMENT '
        "EXECUTE FUNCTION leadline_refuse()"
    )
