"""One call of `leadline`: its workspace, who acts, and where results go."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import typer

    from caselog.workspace import Workspace
    from desk.access import Act, Acting
    from desk.output import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the options before the command said; nothing heavy is imported before it is needed."""

    folder: Path
    user: str | None
    out: Output

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open the workspace, and close its case log at the end.

        Raises:
            ConfigError: There is none, or a part of it is missing or wrong.

        """
        from caselog.workspace import open_workspace

        opened = open_workspace(self.folder)
        try:
            yield opened
        finally:
            opened.log.close()

    @contextmanager
    def acting(self, act: Act) -> Iterator[tuple[Workspace, Acting]]:
        """Open the workspace for somebody who may do `act`; seal what was added at the end.

        Raises:
            RefusedError: The person may not.

        """
        from desk.access import Act, require

        with self.workspace() as workspace:
            yield workspace, require(workspace, self.user, act)
            if act is not Act.READ:
                seal(workspace)


def seal(workspace: Workspace) -> None:
    """Number everything that was added to the ledger."""
    from caselog import ledger

    with workspace.log.write() as writer:
        ledger.seal(writer)


def call_of(context: typer.Context) -> Call:
    """Return the call that a command belongs to."""
    call = context.find_object(Call)
    if call is None:
        raise RuntimeError("a command ran outside leadline's own command line")
    return call
