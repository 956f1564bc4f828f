"""Which version of the case log a database holds, and whether this program works with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.errors import ConfigError
from caselog.store.engine import connect, own_errors

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


def is_older(url: str) -> bool:
    """Tell whether the case log at a database address is of an older version than this program's.

    Raises:
        ConfigError: The database is missing.
        OutageError: It cannot be reached.
    """
    engine = connect(url, must_exist=True)
    try:
        found = _revision(engine)
    finally:
        engine.dispose()
    return found is not None and found < schema.REVISION


def check_revision(engine: Engine) -> None:
    """Refuse a database whose version is not this program's.

    Raises:
        ConfigError: It holds no case log, or one of an older or newer version.
        OutageError: It cannot be reached.
    """
    found = _revision(engine)
    if found is None:
        raise ConfigError("The database is not a case log.", "Run leadline init.")
    if found < schema.REVISION:
        raise ConfigError(
            f"The case log is of an older version ({found}, this program needs {schema.REVISION}).",
            "Make a backup, then run leadline init to bring it up to date.",
        )
    if found > schema.REVISION:
        raise ConfigError(
            f"The case log is of a newer version ({found}, this program knows {schema.REVISION}).",
            "Install the newer leadline.",
        )


def _revision(engine: Engine) -> str | None:
    with own_errors(), engine.connect() as connection:
        there = sa.inspect(connection).has_table("alembic_version")
        query = sa.text("SELECT version_num FROM alembic_version")
        return connection.execute(query).scalar_one_or_none() if there else None
