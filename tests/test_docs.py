"""The documentation says what is there: every command, setting, record, output and link."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from pydantic import BaseModel

from caselog.config import Config
from caselog.errors import CaseError
from caselog.records.choices import CountryLevel, Outcome, Presence, Signal
from desk import cli
from desk.commands.checks import WordName
from desk.commands.leads import OutcomeName
from desk.practice.demo import run_demo
from exports.notices import HoldReason, NoticeState
from exports.redact import TABLE
from tests.warm import WarmProgram

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from enum import StrEnum
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TYPED = re.compile(r"(?:[^#]*\| )?(?:\w+=\S+ )*(?:\S+/)?(leadline .*)")
_WALK = "2. What the demo did, line by line"
_CELL = re.compile(r"`([^`\n]+)`")


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _keys(table: str) -> list[str]:
    """Return the words in backticks in the first column of a table."""
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [word for cell in rows for word in _CELL.findall(cell)]


def _section(path: Path, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", _text(path), re.MULTILINE | re.DOTALL)
    assert found, f"{_name(path)} has no section {title}"
    return found.group(1)


# ---- generated pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", list(GENERATOR.pages()), ids=lambda path: path.name)
def test_a_generated_page_is_what_the_code_gives_now(path: Path) -> None:
    """After a change of commands or records: python docs/generate.py."""
    expected = GENERATOR.pages()[path]

    assert _text(path) == expected


def test_every_command_has_its_section() -> None:
    titles = re.findall(r"^## (.+)$", _text(REFERENCE / "commands.md"), re.MULTILINE)

    assert titles == sorted(f"leadline {' '.join(words)}".strip() for words, _, _ in GENERATOR.commands())


def test_every_command_shows_an_example_that_can_be_typed() -> None:
    examples = [
        command.epilog or "" for words, command, _ in GENERATOR.commands() if not hasattr(command, "commands")
    ]

    assert all(example.startswith("Example: leadline ") for example in examples)
    for example in examples:
        _parse(example.removeprefix("Example: "))


def test_every_field_of_every_record_stands_in_the_records_page() -> None:
    for kind in GENERATOR.RECORDS:
        named = _keys(_section(REFERENCE / "records.md", kind.__name__))

        assert named == list(kind.__dataclass_fields__)


def test_every_field_of_every_record_says_what_it_means() -> None:
    silent = [
        f"{kind.__name__}.{name}"
        for kind in GENERATOR.RECORDS
        for name in kind.__dataclass_fields__
        if not GENERATOR.field_texts(kind).get(name)
    ]

    assert silent == []


# ---- settings and exit statuses ----------------------------------------------------------------------------


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from _settings(type(field.default), f"{prefix}{name}.")
        else:
            yield prefix + name, field.default


def _written(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str):
        return f'"{default}"'
    return str(list(default)) if isinstance(default, tuple) else str(default)


def test_every_setting_stands_in_the_settings_page_with_its_default() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \| `([^`]*)` \| (.+) \|$", _text(REFERENCE / "settings.md"), re.MULTILINE
    )

    assert {name: default for name, default, _ in rows} == {
        name: _written(default) for name, default in _settings(Config)
    }


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_settings_example_is_taken(path: Path) -> None:
    for language, block in _FENCE.findall(_text(path)):
        if language == "toml":
            Config(**tomllib.loads(textwrap.dedent(block)))


def _statuses() -> Mapping[int, str]:
    kinds = {kind.exit_status: kind.kind for kind in CaseError.__subclasses__()}
    return {0: "", **kinds, cli.BUG: "bug", cli.INTERRUPTED: "interrupted"}


def test_every_exit_status_stands_in_its_table_with_its_kind() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]*)\|", _text(REFERENCE / "exit-status.md"), re.MULTILINE)
    kinds = {int(number): _CELL.findall(cell) for number, cell in rows}

    assert set(kinds) == set(_statuses())
    for number, kind in _statuses().items():
        assert not kind or kind in kinds[number]


# ---- outputs -----------------------------------------------------------------------------------------------

ROWS = {
    "leads list": "lead_row",
    "pages list": "page_row",
    "evidence list": "evidence_row",
    "hosting list": "hosting_row",
    "checks list": "check_row",
    "proposals list": "proposal_row",
    "sites list": "site_row",
    "terms list": "rule_row",
    "users list": "user_row",
    "cases list": "case_row",
    "notices list": "notice_row",
}
ADDED = {"notices list": {"holds"}}
"""Keys that the command adds to the row."""


def _row_keys(function: str) -> set[str]:
    tree = ast.parse(_text(ROOT / "desk" / "rows.py"))
    (body,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    returned = next(node.value for node in ast.walk(body) if isinstance(node, ast.Return))
    assert isinstance(returned, ast.Dict)
    return {str(key.value) for key in returned.keys if isinstance(key, ast.Constant)}


@pytest.mark.parametrize(("command", "function"), ROWS.items(), ids=ROWS)
def test_the_keys_of_a_list_are_those_in_the_outputs_page(command: str, function: str) -> None:
    named = _keys(_section(REFERENCE / "outputs.md", command))

    assert set(named) == _row_keys(function) | ADDED.get(command, set())
    assert len(named) == len(set(named))


def test_every_list_command_has_its_section_in_the_outputs_page() -> None:
    lists = {" ".join(words) for words, _, _ in GENERATOR.commands() if words[-1:] == ("list",)}
    titles = set(re.findall(r"^## (.+)$", _text(REFERENCE / "outputs.md"), re.MULTILINE))

    assert lists <= titles


def test_the_removal_page_explains_every_signal_and_state() -> None:
    words = set(_CELL.findall(_text(DOCS / "explanation" / "removal.md")))

    assert {*(one.value for one in Signal), *(one.value for one in Presence)} <= words


def test_the_formats_page_tells_each_audience_what_the_table_allows() -> None:
    audiences = ("host", "hotline", "police", "cert")
    text = _text(REFERENCE / "formats.md")
    rows = re.findall(r"^\| `(\w+)`: [^|]+\| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    told = {
        name: {who for who, word in zip(audiences, words, strict=True) if word == "yes"}
        for name, *words in rows
    }

    assert told == {
        datum.value: {who.value for who in allowed} - {"public"} for datum, allowed in TABLE.items()
    }


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("howto/lead-files.md", OutcomeName),
        ("howto/notices.md", HoldReason),
        ("howto/removals.md", WordName),
        ("explanation/hosting.md", CountryLevel),
        ("reference/outputs.md", NoticeState),
        ("reference/outputs.md", Outcome),
    ],
)
def test_a_page_names_every_word_of_its_kind(page: str, words: type[StrEnum]) -> None:
    named = {word.partition(" ")[0] for word in _CELL.findall(_text(DOCS / page))}

    assert {word.value for word in words} <= named


# ---- what is typed -----------------------------------------------------------------------------------------


def _typed(path: Path) -> Iterator[str]:
    """Give each command line of leadline in the code blocks of a page."""
    for language, block in _FENCE.findall(_text(path)):
        for line in textwrap.dedent(block).splitlines():
            if language == "console" and not line.startswith("$ "):
                continue
            found = _TYPED.match(line.removeprefix("$ "))
            if language in {"console", "sh"} and found:
                yield found.group(1)


def _parse(line: str) -> None:
    """Read a command line as the program would, without running it."""
    words = [word for word in shlex.split(line, comments=True) if word not in {"|", ">"}][1:]
    root = typer.main.get_command(cli.build())
    context = root.make_context("leadline", list(words), resilient_parsing=False)
    left, command = [*context._protected_args, *context.args], root
    while hasattr(command, "commands"):
        assert left, f"{line} names no command"
        command, left = command.commands[left[0]], left[1:]
    with command.make_context(left[0] if left else "", left, parent=context):
        pass


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_command_in_a_code_block_can_be_typed(path: Path) -> None:
    for line in _typed(path):
        if line.strip() != "leadline --version":
            _parse(line)


def test_the_check_of_code_blocks_refuses_what_does_not_exist() -> None:
    with pytest.raises((KeyError, typer.TyperException)):
        _parse("leadline leads bake 3")
    with pytest.raises(typer.TyperException):
        _parse("leadline leads list --hot")
    with pytest.raises(typer.TyperException):
        _parse("leadline leads confirm 3")


def test_the_readme_and_tutorial_hold_commands_to_check() -> None:
    assert len(list(_typed(ROOT / "README.md"))) >= 6
    assert len(list(_typed(DOCS / "tutorial.md"))) >= 10


# ---- what is shown as printed ------------------------------------------------------------------------------


def _shape(line: str) -> str:
    """Return a printed line with its numbers, paths and widths levelled: those differ from run to run."""
    line = re.sub(r"/\S+/workspace", "WORKSPACE", line)
    line = re.sub(r"\b[0-9a-f]{64}\b|\d[\d.:-]*", "#", line)
    return " ".join(re.sub(r"#(?:,? #)+", "#", line).split())


def _shown(text: str) -> list[str]:
    blocks = [block for language, block in _FENCE.findall(text) if language in {"console", "text"}]
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def demo_lines(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    said: list[str] = []
    folder = tmp_path_factory.mktemp("demo")
    with WarmProgram(os.environ, folder) as program:
        run_demo(folder, said.append, run=program.run)
    return {_shape(line) for text in said for line in text.splitlines()}


@pytest.mark.slow
@pytest.mark.parametrize(("path", "title"), [(ROOT / "README.md", "Try it"), (DOCS / "tutorial.md", _WALK)])
def test_what_the_walk_shows_is_what_the_demo_prints(path: Path, title: str, demo_lines: set[str]) -> None:
    shown = _shown(_section(path, title))

    assert len(shown) > 15
    assert [line for line in shown if _shape(line) not in demo_lines] == []


# ---- the pages themselves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_link_to_a_file_resolves(path: Path) -> None:
    targets = [target.partition("#")[0] for target in _LINK.findall(_text(path)) if "://" not in target]

    assert [target for target in targets if target and not (path.parent / target).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    linked = {(ROOT / target).resolve() for target in _LINK.findall(_text(ROOT / "README.md"))}

    assert [_name(page) for page in PAGES[1:] if page.resolve() not in linked] == []


def test_the_readme_names_the_two_commands_and_the_makefile_has_them() -> None:
    blocks = [
        line.partition("#")[0].strip()
        for _, block in _FENCE.findall(_text(ROOT / "README.md"))
        for line in block.splitlines()
    ]
    targets = re.findall(r"^(\w+):", _text(ROOT / "Makefile"), re.MULTILINE)

    assert {"make demo", "make test"} <= set(blocks)
    assert {"demo", "test"} <= set(targets)


def test_the_readme_says_what_it_never_does_before_anything_is_installed() -> None:
    text = _text(ROOT / "README.md")
    never = _section(ROOT / "README.md", "What it never does")

    assert re.findall(r"^(\d)\. ", never, re.MULTILINE) == list("123456789")
    assert text.index("## What it never does") < text.index("## Try it") < text.index("## Not yet")


def test_every_test_named_in_the_safeguards_exists() -> None:
    named = re.findall(
        r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", _text(DOCS / "explanation" / "safeguards.md")
    )

    assert named
    for file, test in named:
        assert (ROOT / file).is_file(), file
        assert not test or f"def {test}(" in _text(ROOT / file), f"{file}::{test}"


def test_every_module_named_in_the_safeguards_exists() -> None:
    named = re.findall(
        r"`((?:caselog|crawler|enrich|exports|desk)/[\w/.]+)`", _text(DOCS / "explanation" / "safeguards.md")
    )

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


_SAFE_HOST = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost)$|^127\.")
_PROJECT_HOSTS = frozenset({"keepachangelog.com", "semver.org"})


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_address_in_the_docs_is_a_reserved_one(path: Path) -> None:
    hosts = re.findall(r"\b(?:https?|hxxps?|ftp|gopher|socks5h)://([^\s/:|`\"'<>)]+)", _text(path))
    plain = [host.replace("[.]", ".") for host in hosts if host not in {"address", "…"}]

    assert [host for host in plain if not _SAFE_HOST.search(host) and host not in _PROJECT_HOSTS] == []
