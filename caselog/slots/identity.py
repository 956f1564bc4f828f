"""Name a process so that another on the same machine can tell for sure that it is gone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def machine() -> str:
    """Return what this machine, its present run and this container are called; no other has the same."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # Process numbers mean something within one namespace only.
        return f"{boot[:8]}{boot[-12:]}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def started(pid: int) -> str | None:
    """Return when a process started, in ticks since the boot; None when there is none of this number.

    No later process of the same number has the same (proc(5), field 22 of `stat`).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name in brackets may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else fields[19]


def own_name() -> str:
    """Return a name for this process that no other has, nor had; 64 characters at most."""
    return f"{machine()}:{os.getpid()}:{started(os.getpid())}:{secrets.token_hex(3)}"


def is_gone(name: str) -> bool:
    """Tell whether the process of a name is gone for sure; of another machine nobody can tell."""
    parts = name.split(":")
    if len(parts) != 4 or not parts[0] or parts[0] != machine() or not parts[1].isdigit():
        return False
    return started(int(parts[1])) != parts[2]
