"""Run `leadline` in this process against a fresh workspace, for the tests of the desk."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

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
        return [row for row in self.lines if not {"summary", "error"} & set(row)]

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
            result = CliRunner().invoke(app, [*options, *arguments], input=stdin, env=environment)
        finally:
            root.handlers[:] = before
            root.setLevel(level)
            logging.captureWarnings(False)
            warnings.showwarning = show
        return Answer(code=result.exit_code, out=result.stdout, err=result.stderr)

    def open(self) -> Workspace:
        return open_workspace(self.folder)

    def add_leads(self, *urls: str, confirm: bool = True, user: str = "ada", **keywords: Any) -> Answer:
        lines = "url,report,classification\n" + "".join(f"{url},R{at},A1\n" for at, url in enumerate(urls))
        return self.run(
            "leads", "add", "-", *(["--confirm"] if confirm else []), stdin=lines, user=user, **keywords
        )


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
