"""A private PostgreSQL server in a folder of the test's own, reached through a socket file there."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ALLOW_NO_SKIP = "LEADLINE_ALLOW_NO_SKIP"


def programs() -> Path | None:
    """Return the folder of the server programs, or None when they are not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a server and give the address of an empty database in it."""
    folder = programs()
    if folder is None:
        raise FileNotFoundError("the PostgreSQL server programs are not installed")
    # Not pytest's own folder: its path is too long for a socket, and closed to other users.
    home = Path(tempfile.mkdtemp(prefix="pg"))
    user = _unprivileged()
    if user:
        os.chown(home, user.pw_uid, user.pw_gid)
    try:
        _run(
            user, folder / "initdb", "-D", home / "data", "-U", "leadline", "-A", "trust", "-N", "-E", "UTF8"
        )
        options = f"-k {home} -h 127.0.0.1 -p {_free_port()} -F -c max_connections=100"
        _run(user, folder / "pg_ctl", "-D", home / "data", "-l", home / "log", "-w", "-o", options, "start")
        port = (home / "data" / "postmaster.pid").read_text().splitlines()[3]
        try:
            yield f"postgresql+psycopg://leadline@/postgres?host={home}&port={port}"
        finally:
            _run(user, folder / "pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unprivileged() -> pwd.struct_passwd | None:
    """Return whom to run as: the server refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _run(user: pwd.struct_passwd | None, *command: object) -> None:
    identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    done = subprocess.run(
        [str(word) for word in command],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        **identity,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode()[-500:]}")
