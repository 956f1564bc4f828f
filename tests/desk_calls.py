"""Run `leadline` in this process against a fresh workspace, for the tests of the desk."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from caselog.workspace import Workspace, open_workspace
from desk.cli import app

PEOPLE = {"cai": "supervisor", "ada": "analyst", "ben": "officer", "dee": "auditor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for row in self.lines if set(row) not in ({"summary"}, {"error"})]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def last(self, key: str) -> Any:
        return self.lines[-1][key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A workspace with cai (supervisor), ada (analyst), ben (officer) and dee (auditor)."""

    folder: Path

    def run(
        self,
        *arguments: str,
        user: str | None = "ada",
        stdin: str | bytes = "",
        options: tuple[str, ...] = ("--json",),
        token: str = "",
    ) -> Answer:
        root = logging.getLogger()
        before, level, show = root.handlers[:], root.level, warnings.showwarning
        environment = {"LEADLINE_WORKSPACE": str(self.folder), "LEADLINE_USER": user, "LEADLINE_TOKEN": token}
        try:
            return _answer([*options, *arguments], stdin, environment)
        finally:
            root.handlers[:] = before
            root.setLevel(level)
            logging.captureWarnings(False)
            warnings.showwarning = show

    def open(self) -> Workspace:
        return open_workspace(self.folder)

    def add_leads(self, *urls: str, confirm: bool = True, user: str = "ada", **keywords: Any) -> Answer:
        lines = "url,report,classification\n" + "".join(f"{url},R{at},A1\n" for at, url in enumerate(urls))
        return self.run(
            "leads", "add", "-", *(["--confirm"] if confirm else []), stdin=lines, user=user, **keywords
        )


def _answer(arguments: list[str], stdin: str | bytes, environment: dict[str, str | None]) -> Answer:
    code: int | str | None = 0
    with CliRunner().isolation(input=stdin, env=environment) as (out, err, _):
        try:
            _command().main(args=arguments, prog_name="leadline")
        except SystemExit as leave:
            code = leave.code
        except Exception:  # noqa: BLE001 - ends a program too
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        printed, warned = out.getvalue(), err.getvalue()
    return Answer(code=int(code or 0), out=_text(printed), err=_text(warned))


def _text(written: bytes) -> str:
    return written.decode("utf-8", "replace").replace("\r\n", "\n")


@cache
def _command() -> Any:
    """Return the command line, put together once: that costs more than most commands."""
    return get_command(app)


def desk(tmp_path: Path, *, live: bool = False) -> Desk:
    folder = tmp_path / "workspace"
    shutil.copytree(_template(live), folder)
    return Desk(folder=folder)


def password_of(name: str) -> str:
    return f"{name}-Correct-Horse-1"


@cache
def _template(live: bool) -> Path:
    made = Desk(folder=Path(tempfile.mkdtemp(prefix="leadline-test-")) / "workspace")
    assert made.run("init", *([] if live else ["--practice"])).code == 0
    for name, role in PEOPLE.items():
        arguments = ("users", "add", name, "--role", role, "--password-stdin")
        assert made.run(*arguments, user="cai", stdin=f"{password_of(name)}\n").code == 0
    return made.folder
