"""The command line: exit statuses, errors, help, and that only little is imported for it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from caselog.errors import ConfigError, IntakeError, RefusedError, SourceError, TamperedError
from desk.cli import BUG, Desk, app
from tests.desk_calls import Desk as Workspace
from tests.desk_calls import desk

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


def leadline(*arguments: str, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LEADLINE_")}
    environment |= {"LEADLINE_WORKSPACE": str(folder), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "desk.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder.parent,
        check=False,
        timeout=60,
    )


def failing(error: BaseException) -> int:
    """Return the exit status of a command that raises this error."""
    root = typer.Typer(cls=Desk, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @root.command()
    def fail() -> None:
        raise error

    @root.command()
    def other() -> None:
        """Make this a group."""

    return CliRunner().invoke(root, ["fail"]).exit_code


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (IntakeError("m"), 1),
        (ConfigError("m"), 2),
        (RefusedError("m"), 3),
        (SourceError("m"), 4),
        (TamperedError("m"), 5),
        (ZeroDivisionError("m"), BUG),
        (OSError(errno.ENOSPC, "m"), BUG),
        (KeyboardInterrupt(), 130),
        (typer.Exit(4), 4),
    ],
)
def test_each_error_has_its_exit_status(error: BaseException, status: int) -> None:
    assert failing(error) == status


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("leads", "confirm"),
        ("leads", "confirm", "x", "--reason", "r"),
        ("leads", "confirm", "0", "--reason", "r"),
        ("leads", "reject", "1", "--reason", "r", "--outcome", "bored"),
        ("leads", "list", "--state", "odd"),
        ("evidence", "confirm", "--reason", "r"),
        ("evidence", "confirm", "1", "--all", "--reason", "r"),
        ("leads",),
        (),
    ],
)
def test_wrong_usage_exits_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert desk(tmp_path).run(*arguments).code == 2


def test_wrong_usage_is_an_object_with_json(tmp_path: Path) -> None:
    answer = desk(tmp_path).run("leads", "confirm")

    assert answer.last("error")["kind"] == "usage"
    assert answer.err


def test_a_folder_without_workspace_is_wrong_use(tmp_path: Path) -> None:
    answer = Workspace(folder=tmp_path / "none").run("leads", "list")

    assert (answer.code, answer.last("error")["kind"]) == (2, "settings")


def test_a_second_init_is_wrong_use(tmp_path: Path) -> None:
    assert desk(tmp_path).run("init", "--practice").code == 2


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    work = desk(tmp_path)
    with (work.folder / "leadline.toml").open("a") as file:
        file.write("\n[crawl]\ndelay = 0\n")
    answer = work.run("leads", "list")

    assert answer.code == 2
    assert "crawl.delay" in answer.err


def test_an_unforeseen_error_leaks_no_value(capfd: pytest.CaptureFixture[str]) -> None:
    failing(ValueError("http://bread.example/rye"))
    captured = capfd.readouterr()

    assert "bread.example" not in captured.out + captured.err


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, part in getattr(command, "commands", {}).items():
        if hasattr(part, "commands"):
            yield from commands(part, (*path, name))
        else:
            yield (*path, name), part


@pytest.mark.parametrize(
    ("path", "command"),
    list(commands(get_command(app))),
    ids=lambda x: "-".join(x) if isinstance(x, tuple) else "",
)
def test_every_command_helps_with_an_example(path: tuple[str, ...], command: Any) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])

    assert result.exit_code == 0
    assert command.help
    assert f"leadline {'' if '--user' in command.epilog else ' '.join(path)}".strip() in command.epilog
    assert " ".join(path) in command.epilog


def test_help_imports_only_typer_and_the_standard_library(tmp_path: Path) -> None:
    program = (
        "import sys, runpy\nsys.argv = ['leadline', '--help']\n"
        "try:\n    runpy.run_module('desk.cli', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "heavy = {'sqlalchemy', 'pydantic', 'scrapy', 'twisted', 'argon2', 'rich', 'cryptography', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )

    assert done.stderr.strip() == "[]"
    assert "Usage: leadline" in done.stdout


def test_a_first_walk_through_real_processes(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    add = ("users", "add", "--password-stdin")
    made = leadline("init", "--practice", folder=folder)
    first = leadline(
        "--user", "cai", *add, "cai", "--role", "supervisor", folder=folder, stdin="correct-Horse-1\n"
    )
    taken = leadline(
        "--user",
        "cai",
        "--json",
        "leads",
        "add",
        "-",
        folder=folder,
        stdin="url,report\nhttp://127.0.0.1/,R1\nx,y\n",
    )

    assert (made.returncode, first.returncode, taken.returncode) == (0, 0, 1)
    assert json.loads(taken.stdout)["summary"]["added"] == 1
    assert (folder / "keys.json").stat().st_mode & 0o077 == 0


def test_an_interrupt_ends_with_a_sentence_and_130(tmp_path: Path) -> None:
    work = desk(tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LEADLINE_USER": "ada",
        "LEADLINE_WORKSPACE": str(work.folder),
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "desk.cli", "leads", "add", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert running.stdin is not None
    # The pipe takes 64 KiB unread; this much is through only when the command reads it.
    running.stdin.write("url,report\n" + "x,y\n" * 50_000)
    running.stdin.flush()
    running.send_signal(signal.SIGINT)
    _, complaint = running.communicate(timeout=60)

    assert running.returncode == 130
    assert "Interrupted." in complaint


def test_a_reader_who_leaves_causes_no_traceback(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*(f"http://127.0.0.1/{number}" for number in range(600)), confirm=False)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LEADLINE_USER": "ada",
        "LEADLINE_WORKSPACE": str(work.folder),
    }
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "desk.cli", "--json", "leads", "list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)

    assert "Traceback" not in done.stderr
    assert "nobody foresaw" not in done.stderr
