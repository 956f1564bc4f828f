"""Connections to the case log's database, and its errors in our own words."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from caselog.errors import CaseError, ConfigError, IntakeError, OutageError, SourceError, TamperedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL, Connection, Engine

BUSY_TIMEOUT_S = 30
FROZEN_S = 30
"""For how long a transaction on PostgreSQL may stand still before the server ends it."""
BEGIN = "leadline_begin"
_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # Without it INSERT OR REPLACE deletes the old row and fires no delete trigger.
    "PRAGMA recursive_triggers=ON",
    # Deleted pages are overwritten, so that what was purged cannot be read from the file.
    "PRAGMA secure_delete=ON",
)

_SESSION = {
    # A frozen process keeps neither its transaction nor its locks; who waits for a lock is told in time.
    "idle_in_transaction_session_timeout": f"{FROZEN_S}s",
    "lock_timeout": f"{2 * FROZEN_S}s",
    # The server notices a machine that went away.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_POSTGRESQL: dict[str, Any] = {
    "pool_pre_ping": True,
    # A server has a hundred connections for all; who finds none free waits.
    "pool_size": 4,
    "max_overflow": 4,
    "connect_args": {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
    },
}


def connect(address: str, *, must_exist: bool) -> Engine:
    """Return an engine for the database at `address`, with our settings on every connection.

    Raises:
        ConfigError: The address is not one of a database that we know, or the SQLite file is missing.
    """
    url = _parse(address)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite:
        _prepare_file(url, must_exist=must_exist)
    try:
        # Values never stand in a library's error message or log line.
        engine = create_engine(url, hide_parameters=True, **({} if is_sqlite else _POSTGRESQL))
    except (ModuleNotFoundError, NoSuchModuleError, ArgumentError):
        raise ConfigError(
            "The driver of this database is not installed.", "Install it: pip install 'leadline[postgresql]'"
        ) from None
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def connect_jobs(address: str) -> Engine:
    """Return an engine for the tables of the durable jobs.

    On SQLite they lie in a file of their own; what they say can be found out again from the case log, so a
    commit need not reach the disk at once. A transaction that writes takes its turn at its first statement.

    Raises:
        ConfigError: The address is not one of a database that we know.
    """
    url = _parse(address)
    if url.get_backend_name() == "postgresql":
        return create_engine(url, hide_parameters=True, **_POSTGRESQL)
    _prepare_file(url, must_exist=False)
    engine = create_engine(url, hide_parameters=True, pool_size=10, max_overflow=30)
    event.listen(engine, "connect", _prepare_jobs)
    return engine


def connect_once(address: str) -> Engine:
    """Return an engine for PostgreSQL whose connections are single, and commit each statement.

    Raises:
        ConfigError: The address is not one of a database that we know.
    """
    return create_engine(
        _parse(address),
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args=_POSTGRESQL["connect_args"],
    )


def _prepare_jobs(connection: Any, record: Any) -> None:
    del record
    connection.isolation_level = None
    for pragma in (*_PRAGMAS[:2], "PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=ON"):
        connection.execute(pragma).close()
    connection.isolation_level = "IMMEDIATE"


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise ConfigError(
            "The setting database.url is not a database address.", "Example: sqlite:///casebook.db"
        ) from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigError(
            "This kind of database is not supported.", "Use sqlite:/// or postgresql+psycopg:// addresses."
        )
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if not url.database or url.database == ":memory:":
        raise ConfigError("The SQLite database needs a file.", "Example: sqlite:///casebook.db")
    return url


def _prepare_file(url: URL, *, must_exist: bool) -> None:
    path = Path(url.database or "")
    if path.exists():
        return
    if must_exist:
        raise ConfigError(
            "The database of this workspace is missing.", "Run leadline init, or restore a backup."
        )
    try:
        # SQLite gives its side files the mode of the main file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigError(
            f"The database file cannot be made: {error.strerror}.", "Look at the folder's rights."
        ) from error


def _prepare_sqlite(connection: Any, record: Any) -> None:
    del record
    # The driver's own transaction control opens a transaction too late; `_begin_sqlite` does it.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get(BEGIN, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def own_errors() -> Iterator[None]:
    """Translate each error of the database into one of ours; none holds a value.

    Raises:
        OutageError: The database is busy, full or cannot be reached.
        SourceError: It refused a statement.
        ConfigError: It is not the database that we expect.
        IntakeError: A row refers to one that does not exist, or exists already.
        TamperedError: A text column holds bytes that are no text; we never write such.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _own(error) from None


def _own(error: Exception) -> CaseError:
    said = str(getattr(error, "orig", None) or error).lower()
    for sign, fault in _signs().items():
        if sign in said:
            return fault
    if isinstance(error, IntegrityError):
        return IntakeError(
            "The database refused a row that refers to a missing one or exists already.", "Check the ids."
        )
    if isinstance(error, OperationalError | InterfaceError | sqlite3.OperationalError):
        return OutageError(
            "The database cannot be reached or failed.", "Try again; then run leadline doctor."
        )
    if isinstance(error, DatabaseError | sqlite3.DatabaseError):
        return SourceError("The database refused a statement.", "Run leadline doctor.")
    return SourceError("The database failed.", "Run leadline doctor.")


def _signs() -> dict[str, CaseError]:
    return {
        "append-only": SourceError(
            "The database refused to change an append-only row.", "Append a new record."
        ),
        "could not decode": TamperedError(
            "The database holds bytes where text belongs.", "Run leadline ledger verify."
        ),
        "locked": OutageError("The database is busy.", "Wait for the other process, then try again."),
        "disk is full": OutageError("The disk of the database is full.", "Make room, then try again."),
        "no space left": OutageError("The disk of the database is full.", "Make room, then try again."),
        "idle-in-transaction": OutageError(
            "The database ended a transaction that stood still.", "Try again."
        ),
        "queuepool limit": OutageError(
            "The database is busy.", "Wait for the other process, then try again."
        ),
        "readonly": ConfigError("The database may not be written.", "Look at the file's owner and mode."),
        "unable to open": ConfigError("The database cannot be opened.", "Look at its folder's rights."),
        "not a database": ConfigError("The file is not a database.", "Restore it from a backup."),
        "malformed": ConfigError("The database file is damaged.", "Restore it from a backup."),
        "no such table": ConfigError("The database is not a case log.", "Run leadline init."),
        '" does not exist': ConfigError("The database is not a case log.", "Run leadline init."),
    }
