"""Places of workers on several machines: advisory locks of PostgreSQL, each on a connection of its own.

The server ends a session that says nothing for long, so a worker that was frozen or cut off loses its place.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from caselog.errors import CaseError, ConfigError
from caselog.store.engine import connect_once, own_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection, Engine

logger = logging.getLogger(__name__)

CLASS: Final = 1_279_610_444
"""Any number of our own: the space in which places are numbered."""
BEAT_S: Final = 4.0
SILENT_S: Final = 20
"""A session that says nothing for so long is ended by the server."""
OLDEST_SERVER: Final = 140_000
_HELD: Final = (
    "SELECT objid, pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND classid = %(class)s AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class SharedSlot:
    """A worker's place among those of all machines.

    Losing the connection is not losing the place: the same number is taken again as soon as it can be. It is
    lost when another has it by then.
    """

    def __init__(self, engine: Engine, connection: Connection, number: int, beat_s: float = BEAT_S) -> None:
        self.number = number
        self._engine = engine
        self._connection: Connection | None = connection
        self._backend = _backend(connection)
        self._heard_s = time.monotonic()
        self._beat_s = beat_s
        self._is_lost = False
        self._refused = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="worker-place", daemon=True)
        self._thread.start()

    def is_held(self) -> bool:
        """Tell whether nobody else has taken the place, as far as is known."""
        return not self._is_lost

    def is_connected(self) -> bool:
        """Tell whether the database was there a moment ago: a worker that was frozen cannot know."""
        return self._connection is not None and time.monotonic() - self._heard_s < 3 * self._beat_s

    def note_child(self, pid: int | None) -> None:
        """Do nothing: no other machine can end it; what it writes too late is fenced off."""

    def leave(self) -> None:
        """Give the place up."""
        self._over.set()
        self._thread.join(1.0)
        self._drop()
        self._engine.dispose()

    def _go_on(self) -> None:
        while not self._over.wait(self._beat_s if self._connection is not None else self._beat_s / 4):
            if self._connection is not None:
                self._beat()
                continue
            # Whatever it is, the next turn tries again: without this thread nobody learns of a loss.
            with contextlib.suppress(CaseError):
                self._come_back()

    def _beat(self) -> None:
        try:
            with own_errors():
                if self._connection is not None:
                    self._connection.exec_driver_sql("SELECT 1")
                    self._heard_s = time.monotonic()
        except CaseError:
            logger.warning("The place of this worker lost its connection to the database")
            self._drop()

    def _come_back(self) -> None:
        connection = _session(self._engine)
        if _try_lock(connection, self.number):
            self._backend, self._heard_s = _backend(connection), time.monotonic()
            self._connection, self._refused = connection, 0
            logger.warning("The place of this worker is connected to the database again")
            return
        # The server may not have noticed yet that our own earlier session is gone.
        is_ours = _holder(connection, self.number) in {None, self._backend}
        connection.close()
        self._refused += 1
        if not is_ours or self._refused * self._beat_s / 4 > 2 * SILENT_S:
            self._is_lost = True
            self._over.set()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                with own_errors():
                    connection.invalidate()
                    connection.close()
            except CaseError:
                return


def take_shared(url: str, numbers: Iterable[int], *, beat_s: float = BEAT_S) -> SharedSlot | None:
    """Take the first free of these places, or return None.

    Raises:
        OutageError: The database is away.
        ConfigError: The server is too old to end silent sessions.
    """
    engine = connect_once(url)
    connection = _session(engine)
    try:
        for number in numbers:
            if _try_lock(connection, number):
                return SharedSlot(engine, connection, number, beat_s)
    except BaseException:
        connection.close()
        raise
    connection.close()
    engine.dispose()
    return None


def held_numbers(url: str) -> frozenset[int]:
    """Return the numbers of the places that any worker has.

    Raises:
        OutageError: The database is away.
    """
    engine = connect_once(url)
    try:
        with own_errors(), engine.connect() as connection:
            rows = connection.exec_driver_sql(_HELD, {"class": CLASS})
            return frozenset(int(number) for number in rows.scalars())
    finally:
        engine.dispose()


def _session(engine: Engine) -> Connection:
    with own_errors():
        connection = engine.connect()
        version: Any = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
        if int(version) < OLDEST_SERVER:
            connection.close()
            raise ConfigError(
                "This PostgreSQL server is older than version 14.", "Move the database to a newer server."
            )
        connection.exec_driver_sql(f"SET idle_session_timeout = '{SILENT_S}s'")
        connection.exec_driver_sql("SET application_name = 'leadline worker'")
        return connection


def _backend(connection: Connection) -> int:
    """Return the number of the server's process for a session."""
    with own_errors():
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def _holder(connection: Connection, number: int) -> int | None:
    """Return the number of the server's process whose session has a place."""
    with own_errors():
        rows = connection.exec_driver_sql(_HELD, {"class": CLASS})
        return next((int(pid) for place, pid in rows if int(place) == number), None)


def _try_lock(connection: Connection, number: int) -> bool:
    with own_errors():
        query = sa.select(sa.func.pg_try_advisory_lock(CLASS, number))
        return bool(connection.execute(query).scalar_one())
