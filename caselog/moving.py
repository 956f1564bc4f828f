"""Move a case log to another, empty database, row by row, and prove the copy before anybody works on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from caselog import ledger, schema
from caselog.config import load_config
from caselog.errors import ConfigError
from caselog.migrations.run import upgrade
from caselog.store.engine import BEGIN, connect, own_errors
from caselog.store.log import open_case_log
from caselog.workspace import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine

    from caselog.workspace import Workspace

BATCH = 1000
_SECTION = re.compile(r"^\[database\][^\n]*\n(?:(?!\[).*\n?)*", re.MULTILINE)


def move(workspace: Workspace, address: str, progress: Callable[[int], None] = lambda _: None) -> int:
    """Copy the case log to the database at `address`, check it, write the setting; return the rows copied.

    The old database stays as it is. Nothing may write to it meanwhile: the caller holds the worker's place.

    Args:
        workspace: The opened workspace.
        address: An empty database.
        progress: Told of rows as they are copied.

    Raises:
        ConfigError: The database holds a case log already, or cannot be used.
        OutageError: One of the two databases is away.
        TamperedError: The copy does not agree with its ledger.
    """
    source, target = connect(workspace.database_url(), must_exist=True), connect(address, must_exist=False)
    try:
        with own_errors():
            if sa.inspect(target).has_table("alembic_version"):
                raise ConfigError("That database holds a case log already.", "Name an empty one.")
            upgrade(target)
            count = _copy_all(source, target, progress)
    finally:
        source.dispose()
        target.dispose()
    copy = open_case_log(address, workspace.keys)
    try:
        ledger.verify(copy)
    finally:
        copy.close()
    set_database(workspace.folder, address)
    return count


def set_database(folder: Path, address: str) -> None:
    """Write the address of the database into the workspace's settings; the rest of the file stays."""
    path = folder / SETTINGS_FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    escaped = address.replace("\\", "\\\\").replace('"', '\\"')
    section = f'[database]\nurl = "{escaped}"\n'
    rest = _SECTION.sub("", text).rstrip("\n")
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(f"{rest}\n\n{section}" if rest else section, encoding="utf-8")
    new.replace(path)
    if load_config(folder).database.url != address:
        raise ConfigError(
            "Another [database] url stands over the settings file.", "Look for LEADLINE_DATABASE__URL."
        )


def _copy_all(source: Engine, target: Engine, progress: Callable[[int], None]) -> int:
    count = 0
    with source.connect() as reading, target.connect() as raw:
        writing = raw.execution_options(**{BEGIN: "IMMEDIATE"})
        with reading.begin(), writing.begin():
            for table in schema.METADATA.sorted_tables:
                count += _copy(reading, writing, table, progress)
    return count


def _copy(reading: Connection, writing: Connection, table: sa.Table, progress: Callable[[int], None]) -> int:
    """Copy a table in the order of its key, so that rows come after those that they refer to."""
    count = 0
    rows = reading.execution_options(yield_per=BATCH).execute(sa.select(table).order_by(*table.primary_key))
    for part in rows.mappings().partitions(BATCH):
        found: list[dict[str, Any]] = [dict(row) for row in part]
        writing.execute(table.insert(), found)
        count += len(found)
        progress(len(found))
    if writing.dialect.name == "postgresql" and "id" in table.c and table.c.id.autoincrement is True:
        _count_on(writing, table)
    return count


def _count_on(writing: Connection, table: sa.Table) -> None:
    """Let new rows be numbered after those that were copied."""
    sequence = sa.func.pg_get_serial_sequence(table.name, "id")
    newest = sa.select(sa.func.max(table.c.id)).scalar_subquery()
    writing.execute(sa.select(sa.func.setval(sequence, newest)).where(newest.is_not(None)))
