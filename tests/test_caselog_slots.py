"""Numbered places of workers: one holder each, free when it dies or stands still, kept over an outage."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from caselog.errors import RefusedError
from caselog.slots.identity import machine, started
from caselog.slots.local import FILE, LocalSlot, is_held, take_local
from caselog.slots.shared import CLASS, SharedSlot, held_numbers, take_shared
from caselog.slots.slot import living, take_slot, try_slot
from caselog.workspace import create_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caselog.workspace import Workspace

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 60.0
BEAT_S = 0.05
FROZEN_S = 0.5
"""So long a heart stands still before its worker is killed; ten beats."""

HOLD_LOCAL = """
import subprocess, sys
from pathlib import Path
from caselog.slots.local import take_local
slot = take_local(Path(sys.argv[1]), beat_s=0.05)
child = subprocess.Popen(["sleep", "600"], close_fds=False)
slot.note_child(child.pid)
print(child.pid, flush=True)
sys.stdin.read()
"""
HOLD_SHARED = """
import sys
from caselog.slots import shared
shared.SILENT_S = int(sys.argv[2])
slot = shared.take_shared(sys.argv[1], range(3), beat_s=0.1)
print(slot.number, flush=True)
for line in sys.stdin:
    print(slot.is_held(), flush=True)
"""


def wait_until(is_so: Callable[[], bool]) -> None:
    end_s, pause = time.monotonic() + WAIT_S, threading.Event()
    while not is_so():
        assert time.monotonic() < end_s, "waited in vain"
        pause.wait(0.01)


@contextmanager
def program(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program of its own; it is killed at the end, frozen or not."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def asked(child: subprocess.Popen[str]) -> str:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
    return said(child)


@contextmanager
def local_worker(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Give a process that has the place, and the number of its child."""
    with program(HOLD_LOCAL, folder) as worker:
        child = int(said(worker))
        at = started(child)
        try:
            yield worker, child
        finally:
            if started(child) == at:
                os.kill(child, signal.SIGKILL)


@contextmanager
def held(slot: LocalSlot | SharedSlot | None) -> Iterator[Any]:
    assert slot is not None
    try:
        yield slot
    finally:
        slot.leave()


# ---- one machine: a locked file


@linux_only
def test_a_worker_whose_heart_beats_keeps_its_place_and_lives(tmp_path: Path) -> None:
    with local_worker(tmp_path) as (worker, child):
        with pytest.raises(RefusedError) as refused:
            take_local(tmp_path, silent_s=WAIT_S, beat_s=BEAT_S)

        assert refused.value.code == "busy"
        assert worker.poll() is None
        assert started(child) is not None


@linux_only
def test_the_place_of_a_killed_worker_is_free_though_its_child_lives(tmp_path: Path) -> None:
    """The child was given every open file that may be inherited; the lock is none of them."""
    with local_worker(tmp_path) as (worker, child):
        worker.kill()
        worker.wait()

        with held(take_local(tmp_path, silent_s=WAIT_S, beat_s=BEAT_S)) as slot:
            assert slot.number == 0
            assert slot.is_held()
            assert started(child) is not None


@linux_only
def test_a_worker_that_stands_still_is_killed_with_its_child(tmp_path: Path) -> None:
    with local_worker(tmp_path) as (worker, child):
        os.kill(child, signal.SIGSTOP)
        worker.send_signal(signal.SIGSTOP)

        with held(take_local(tmp_path, silent_s=FROZEN_S, beat_s=BEAT_S)) as slot:
            assert slot.is_held()
            assert worker.wait() == -signal.SIGKILL
            wait_until(lambda: started(child) is None)


@contextmanager
def silent_holder(folder: Path, state: bytes) -> Iterator[None]:
    """Hold the lock of a worker that stands still, and that cannot be ended: it is this process."""
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, state)
        yield
    finally:
        os.close(descriptor)


def is_killed(folder: Path, name: Callable[[int], dict[str, Any]]) -> bool:
    """Tell whether a process is killed that a silent worker's file names so."""
    bystander = subprocess.Popen(["sleep", "600"])
    with bystander:
        try:
            state = json.dumps({"beats": 7, **name(bystander.pid)}).encode()
            with silent_holder(folder, state), pytest.raises(RefusedError):
                take_local(folder, silent_s=FROZEN_S, beat_s=BEAT_S)
        finally:
            # One that was killed already is not hit by this.
            bystander.terminate()
        return bystander.wait() == -signal.SIGKILL


def noted(pid: int) -> dict[str, Any]:
    return {"pid": pid, "started": started(pid)}


@linux_only
@pytest.mark.parametrize(
    "name",
    [
        lambda pid: {"machine": machine(), "worker": {"pid": pid, "started": "1"}},
        lambda pid: {"machine": machine(), "child": {"pid": pid, "started": "1"}},
        lambda pid: {"machine": machine(), "worker": {"pid": pid, "started": None}},
        lambda pid: {"machine": machine(), "worker": {"pid": pid}},
        lambda pid: {"machine": machine(), "worker": pid},
        lambda pid: {"machine": machine(), "worker": {"pid": str(pid), "started": started(pid)}},
        lambda pid: {"machine": "another boot", "worker": noted(pid)},
        lambda pid: {"worker": noted(pid)},
    ],
    ids=[
        "a-later-process-of-the-number",
        "a-later-process-of-the-childs-number",
        "no-start",
        "no-start-at-all",
        "a-bare-number",
        "a-number-as-text",
        "before-the-last-boot",
        "of-no-machine",
    ],
)
def test_a_process_that_may_be_another_is_never_killed(
    tmp_path: Path, name: Callable[[int], dict[str, Any]]
) -> None:
    assert not is_killed(tmp_path, name)


@linux_only
@pytest.mark.parametrize("part", ["worker", "child"])
def test_the_very_process_that_was_noted_is_killed(tmp_path: Path, part: str) -> None:
    """Shows that the bystanders of the other test live because of what differs."""
    assert is_killed(tmp_path, lambda pid: {"machine": machine(), part: noted(pid)})


@linux_only
@pytest.mark.parametrize("state", [b"", b"{", b"[]", b"7", b"\xff\xfe"])
def test_a_file_that_says_nothing_kills_nobody(tmp_path: Path, state: bytes) -> None:
    with silent_holder(tmp_path, state), pytest.raises(RefusedError):
        take_local(tmp_path, silent_s=FROZEN_S, beat_s=BEAT_S)


@linux_only
def test_nobody_kills_itself(tmp_path: Path) -> None:
    state = {"beats": 7, "machine": machine(), "worker": noted(os.getpid())}
    with silent_holder(tmp_path, json.dumps(state).encode()), pytest.raises(RefusedError):
        take_local(tmp_path, silent_s=FROZEN_S, beat_s=BEAT_S)


def test_the_file_of_the_lock_is_nobody_elses(tmp_path: Path) -> None:
    with held(take_local(tmp_path)):
        assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_place_that_was_left_is_free_and_its_heart_has_stopped(tmp_path: Path) -> None:
    first = take_local(tmp_path, beat_s=BEAT_S)
    first.leave()
    first.leave()
    first.note_child(os.getpid())

    assert not first.is_held()
    with held(take_local(tmp_path, silent_s=WAIT_S, beat_s=WAIT_S)):
        beats = (tmp_path / FILE).read_bytes()
        wait_until(lambda: sum(one.name == "worker-heart" for one in threading.enumerate()) == 1)

        assert (tmp_path / FILE).read_bytes() == beats


def test_two_that_look_at_once_do_not_take_each_other_for_a_worker(tmp_path: Path) -> None:
    take_local(tmp_path).leave()
    descriptor = os.open(tmp_path / FILE, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)

        assert not is_held(tmp_path)
    finally:
        os.close(descriptor)


# ---- a workspace on one machine


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = create_workspace(tmp_path / "work", practice=True)
    yield made
    made.log.close()


def test_a_workspace_on_one_machine_has_one_worker(workspace: Workspace) -> None:
    assert living(workspace) == frozenset()

    slot = take_slot(workspace)
    try:
        assert slot.number == 0
        assert living(workspace) == {0}
        assert try_slot(workspace, 0) is None
        with pytest.raises(RefusedError, match="A worker is at work"):
            take_slot(workspace)
    finally:
        slot.leave()
    assert living(workspace) == frozenset()


# ---- several machines: locks of the database


@pytest.fixture
def server(postgresql: str) -> Iterator[sa.Connection]:
    """Give a connection to the server's first database, for what its operator may do."""
    engine = sa.create_engine(postgresql, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def database(server: sa.Connection) -> str:
    """Give the name of a new, empty database."""
    name = f"t{uuid.uuid4().hex}"
    server.exec_driver_sql(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def url(postgresql: str, database: str) -> str:
    return sa.make_url(postgresql).set(database=database).render_as_string(hide_password=False)


@contextmanager
def rival(url: str) -> Iterator[sa.Connection]:
    """Give a connection of another worker, made before the database is closed to new ones."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


def backends(server: sa.Connection, database: str) -> set[int]:
    """Return the sessions that hold a worker's place in a database."""
    query = (
        "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE l.locktype = 'advisory' AND l.granted AND d.datname = %(name)s"
    )
    return set(server.exec_driver_sql(query, {"name": database}).scalars())


def cut(server: sa.Connection, database: str) -> set[int]:
    """End the sessions that hold places, as an outage does; return which they were."""
    ended = backends(server, database)
    for pid in ended:
        server.exec_driver_sql("SELECT pg_terminate_backend(%(pid)s, 10000)", {"pid": pid})
    return ended


def allow(server: sa.Connection, database: str, *, connections: bool) -> None:
    server.exec_driver_sql(f"ALTER DATABASE {database} ALLOW_CONNECTIONS {connections}")


@pytest.mark.needs_postgresql
def test_each_worker_takes_the_lowest_free_place(url: str) -> None:
    with ExitStack() as stack:
        slots = [stack.enter_context(held(take_shared(url, range(9), beat_s=BEAT_S))) for _ in range(3)]

        assert [slot.number for slot in slots] == [0, 1, 2]
        assert held_numbers(url) == {0, 1, 2}
        slots[1].leave()
        wait_until(lambda: held_numbers(url) == {0, 2})
        with held(take_shared(url, range(9), beat_s=BEAT_S)) as fourth:
            assert fourth.number == 1


@pytest.mark.needs_postgresql
def test_there_is_no_place_where_all_are_taken(url: str) -> None:
    with held(take_shared(url, range(1))):
        assert take_shared(url, range(1)) is None


@pytest.mark.needs_postgresql
def test_only_workers_of_the_same_database_count(
    url: str, server: sa.Connection, postgresql: str, database: str
) -> None:
    with held(take_shared(url, range(3))), rival(url) as other:
        other.exec_driver_sql(f"SELECT pg_advisory_lock({CLASS - 1}, 7)")
        other.exec_driver_sql(f"SELECT pg_advisory_lock({(CLASS << 32) + 8})")

        assert len(backends(server, database)) == 2
        assert held_numbers(url) == {0}
        assert held_numbers(postgresql) == frozenset()


@pytest.mark.needs_postgresql
def test_the_place_of_a_killed_process_is_free(url: str) -> None:
    with held(take_shared(url, range(3), beat_s=BEAT_S)), program(HOLD_SHARED, url, 20) as worker:
        assert said(worker) == "1"
        assert take_shared(url, (1,)) is None
        worker.kill()
        wait_until(lambda: held_numbers(url) == {0})

        with held(take_shared(url, (1,))) as successor:
            assert successor.number == 1


@pytest.mark.needs_postgresql
def test_a_worker_that_stands_still_loses_its_place_to_the_next(url: str) -> None:
    with program(HOLD_SHARED, url, 1) as worker:
        assert said(worker) == "0"
        worker.send_signal(signal.SIGSTOP)
        wait_until(lambda: held_numbers(url) == frozenset())

        with held(take_shared(url, (0,), beat_s=BEAT_S)) as successor:
            worker.send_signal(signal.SIGCONT)
            wait_until(lambda: asked(worker) == "False")
            wait_until(successor.is_connected)
            assert successor.is_held()


@pytest.mark.needs_postgresql
def test_a_worker_that_stood_still_takes_its_place_again_where_nobody_wants_it(url: str) -> None:
    with program(HOLD_SHARED, url, 1) as worker:
        assert said(worker) == "0"
        worker.send_signal(signal.SIGSTOP)
        wait_until(lambda: held_numbers(url) == frozenset())
        worker.send_signal(signal.SIGCONT)
        wait_until(lambda: held_numbers(url) == {0})

        assert asked(worker) == "True"


@pytest.mark.needs_postgresql
def test_a_lost_connection_is_made_again_and_takes_the_same_place(
    url: str, server: sa.Connection, database: str
) -> None:
    with (
        held(take_shared(url, range(3), beat_s=BEAT_S)),
        held(take_shared(url, range(3), beat_s=BEAT_S)) as slot,
    ):
        ended = cut(server, database)
        wait_until(lambda: len(backends(server, database)) == 2)

        assert not ended & backends(server, database)
        wait_until(slot.is_connected)
        assert slot.is_held()
        assert held_numbers(url) == {0, 1}


@pytest.mark.needs_postgresql
def test_an_outage_is_waited_out(url: str, server: sa.Connection, database: str) -> None:
    with held(take_shared(url, range(3), beat_s=BEAT_S)) as slot:
        allow(server, database, connections=False)
        cut(server, database)
        wait_until(lambda: not slot.is_connected())
        assert slot.is_held()
        allow(server, database, connections=True)
        wait_until(slot.is_connected)

        assert slot.is_held()
        assert held_numbers(url) == {0}


@pytest.mark.needs_postgresql
def test_a_database_that_was_away_by_its_name_is_waited_for_too(
    url: str, server: sa.Connection, database: str
) -> None:
    """As while a backup is restored: the server is there and says that it knows no such database."""
    with held(take_shared(url, range(3), beat_s=BEAT_S)) as slot:
        allow(server, database, connections=False)
        cut(server, database)
        wait_until(lambda: not slot.is_connected())
        server.exec_driver_sql(f"ALTER DATABASE {database} RENAME TO {database}x")
        threading.Event().wait(10 * BEAT_S)
        server.exec_driver_sql(f"ALTER DATABASE {database}x RENAME TO {database}")
        allow(server, database, connections=True)
        wait_until(slot.is_connected)

        assert slot.is_held()
        assert held_numbers(url) == {0}


@pytest.mark.needs_postgresql
def test_a_place_that_another_took_during_an_outage_is_lost_for_good(
    url: str, server: sa.Connection, database: str
) -> None:
    with held(take_shared(url, range(3), beat_s=BEAT_S)) as slot, rival(url) as other:
        allow(server, database, connections=False)
        cut(server, database)
        wait_until(lambda: not slot.is_connected())
        other.exec_driver_sql(f"SELECT pg_advisory_lock({CLASS}, 0)")
        allow(server, database, connections=True)
        wait_until(lambda: not slot.is_held())
        other.exec_driver_sql(f"SELECT pg_advisory_unlock({CLASS}, 0)")
        wait_until(lambda: not [one for one in threading.enumerate() if one.name == "worker-place"])

        assert not slot.is_held()
        assert held_numbers(url) == frozenset()


@pytest.mark.needs_postgresql
def test_a_place_that_was_left_is_free_and_its_thread_has_ended(url: str) -> None:
    slot = take_shared(url, range(3), beat_s=WAIT_S)
    assert slot is not None
    slot.leave()
    slot.leave()

    assert not slot.is_connected()
    assert not [one for one in threading.enumerate() if one.name == "worker-place"]
    wait_until(lambda: held_numbers(url) == frozenset())


@pytest.mark.needs_postgresql
def test_an_operator_sees_which_sessions_are_those_of_workers(
    url: str, server: sa.Connection, database: str
) -> None:
    query = "SELECT application_name FROM pg_stat_activity WHERE pid = %(pid)s"
    with held(take_shared(url, range(3))):
        (pid,) = backends(server, database)

        assert server.exec_driver_sql(query, {"pid": pid}).scalar_one() == "leadline worker"


@pytest.mark.needs_postgresql
def test_a_shared_workspace_tells_the_living_from_the_dead(tmp_path: Path, url: str) -> None:
    made = create_workspace(tmp_path / "work", practice=True, database=url)
    try:
        assert living(made) == frozenset()
        first = take_slot(made)
        with program(HOLD_SHARED, url, 20) as worker:
            assert (first.number, said(worker)) == (0, "1")
            assert living(made) == {0, 1}
            assert try_slot(made, 1) is None
            worker.kill()
            wait_until(lambda: living(made) == {0})
        second = try_slot(made, 1)
        assert second is not None
        assert second.number == 1
        assert living(made) == {0, 1}
        second.leave()
        first.leave()
        wait_until(lambda: living(made) == frozenset())
    finally:
        made.log.close()
