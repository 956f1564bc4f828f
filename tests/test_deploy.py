"""What is deployed: units and containers parse, call commands that exist, are hardened, hold no secret."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
import typer
import yaml  # type: ignore[import-untyped]  # its stubs are not locked

from caselog.slots.shared import OLDEST_SERVER
from desk import cli
from desk.engine import SCHEMA
from desk.worker.jobs import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
DOCKERFILE = DEPLOY / "Dockerfile"
WORKER_PAGE = ROOT / "docs" / "howto" / "worker.md"
MACHINES_PAGE = ROOT / "docs" / "howto" / "two-machines.md"
HARDENING = {
    "User": "leadline",
    "Restart": "always",
    "KillSignal": "SIGTERM",
    "KillMode": "mixed",
    "TimeoutStopSec": "10",
    "LimitCORE": "0",
    "MemorySwapMax": "0",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
}
_SECRET = re.compile(
    r"-----BEGIN|://[^\s/:@]+:[^\s@/]+@"
    r"|\b\w*(?:password|passphrase|secret|token)\w*\b[ \t]*(?:=|:[ \t]|[ \t]')[ \t]*[\"']?[\w+-]{6,}",
    re.IGNORECASE,
)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _unit(text: str) -> dict[str, list[tuple[str, str]]]:
    """Read a unit as systemd.syntax(7) says, of which we use sections, keys and whole-line comments."""
    sections: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            name = line[1:-1]
            sections[name] = []
            continue
        key, sign, value = line.partition("=")
        assert sign, f"line {number} is no setting"
        assert name, f"line {number} stands in no section"
        sections[name].append((key, value))
    return sections


def _compose() -> dict[str, Any]:
    found = yaml.safe_load(_text(DEPLOY / "compose.yaml"))
    assert isinstance(found, dict)
    return found


def _instructions(word: str) -> list[str]:
    """Give what follows an instruction of the Dockerfile, long lines joined."""
    text = re.sub(r"\\\n", " ", _text(DOCKERFILE))
    return [line.partition(" ")[2].strip() for line in text.splitlines() if line.startswith(f"{word} ")]


def _parse(words: list[str]) -> str:
    """Read a command line as the program would, without running it, and return the command's name."""
    root: Any = typer.main.get_command(cli.build())
    context = root.make_context("leadline", list(words), resilient_parsing=False)
    left, command, name = [*context._protected_args, *context.args], root, []
    while hasattr(command, "commands"):
        assert left, "it names no command"
        name.append(left[0])
        command, left = command.commands[left[0]], left[1:]
    with command.make_context(name[-1], left, parent=context):
        return " ".join(name)


def _images() -> list[str]:
    stages = {line.split()[2] for line in _instructions("FROM") if " AS " in line}
    named = [line.split()[0] for line in _instructions("FROM")]
    services = _compose()["services"].values()
    composed = [service["image"] for service in services if "image" in service]
    return [*composed, *(image for image in named if image not in stages)]


# ---- units -------------------------------------------------------------------------------------------------


def test_there_is_a_unit_and_its_sections_are_those_of_a_service() -> None:
    assert [unit.name for unit in UNITS] == ["leadline-worker.service"]
    assert [list(_unit(_text(unit))) for unit in UNITS] == [["Unit", "Service", "Install"]]


@pytest.mark.parametrize("text", ["Restart=always", "[Service]\nRestart always"])
def test_the_reader_of_units_refuses_what_is_none(text: str) -> None:
    with pytest.raises(AssertionError, match="line"):
        _unit(text)


@pytest.mark.parametrize(("key", "value"), HARDENING.items(), ids=HARDENING)
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_hardened(unit: Path, key: str, value: str) -> None:
    settings = _unit(_text(unit))["Service"]

    assert [value] == [found for name, found in settings if name == key]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_the_worker(unit: Path) -> None:
    (started,) = [value for key, value in _unit(_text(unit))["Service"] if key == "ExecStart"]
    program, *words = shlex.split(started)

    assert program == "/opt/leadline/bin/leadline"
    assert words[:2] == ["--workspace", "/var/lib/leadline"]
    assert _parse(words) == "worker"


def test_the_check_of_command_lines_refuses_what_does_not_exist() -> None:
    with pytest.raises(KeyError):
        _parse(["--user", "worker", "bake"])
    with pytest.raises(typer.TyperException):
        _parse(["--user", "worker", "worker", "--hot"])


@pytest.mark.parametrize("name", ["leadline-worker.service", "leadline-worker@1.service"])
def test_systemd_itself_has_no_objection_to_the_unit(name: str, tmp_path: Path) -> None:
    """Under both names under which it is installed; says nothing where systemd is not installed."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    installed = tmp_path / name.replace("@1", "@")
    text = _text(DEPLOY / "leadline-worker.service")
    installed.write_text(text.replace("/opt/leadline/bin/leadline", sys.executable), encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, str(tmp_path) in done.stderr) == (0, False), done.stderr


# ---- containers --------------------------------------------------------------------------------------------


def test_there_is_one_postgresql_and_several_workers() -> None:
    services = _compose()["services"]
    servers = [service["image"] for service in services.values() if "image" in service]

    assert set(services) == {"database", "worker"}
    assert [image.partition("-")[0] for image in servers] == ["postgres:16"]
    assert services["worker"]["deploy"]["replicas"] >= 2
    assert "deploy" not in services["database"]


def test_images_have_a_fixed_release_and_name_no_registry() -> None:
    assert len(_images()) >= 2
    for image in _images():
        name, _, tag = image.partition(":")

        assert re.fullmatch(r"[a-z0-9]+", name), image
        assert re.match(r"\d", tag), image


def test_the_worker_is_built_from_our_dockerfile() -> None:
    build = _compose()["services"]["worker"]["build"]

    assert ((DEPLOY / build["context"]).resolve(), (ROOT / build["dockerfile"])) == (ROOT, DOCKERFILE)


def test_the_container_starts_the_worker() -> None:
    (entry,) = _instructions("ENTRYPOINT")
    program, *words = json.loads(entry)

    assert program == "/opt/leadline/bin/leadline"
    assert _parse([*words, *_compose()["services"]["worker"]["command"]]) == "worker"


def test_the_worker_container_is_hardened() -> None:
    worker = _compose()["services"]["worker"]

    assert worker["cap_drop"] == ["ALL"]
    assert worker["read_only"] is True
    assert worker["init"] is True
    assert worker["stop_signal"] == "SIGTERM"
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "user"} & set(worker)


@pytest.mark.parametrize("name", ["database", "worker"])
def test_a_container_gains_no_rights_leaves_no_core_and_opens_no_port(name: str) -> None:
    service = _compose()["services"][name]

    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ulimits"]["core"] == 0
    assert "ports" not in service
    assert service["restart"] == "always"


def test_the_database_is_reached_from_inside_only() -> None:
    found = _compose()

    assert found["networks"]["inside"]["internal"] is True
    assert found["services"]["database"]["networks"] == ["inside"]


def test_the_image_runs_as_an_unprivileged_user() -> None:
    assert _instructions("USER") == ["leadline"]
    assert "--uid 10001" in _text(DOCKERFILE)
    assert "chown 10001:10001 pgpass" in _text(WORKER_PAGE)


def test_the_image_holds_every_package_and_nothing_else() -> None:
    project = tomllib.loads(_text(ROOT / "pyproject.toml"))["tool"]["setuptools"]["packages"]["find"]
    packages = {pattern.rstrip("*") for pattern in project["include"]}
    sources = {
        word.rstrip("/")
        for line in _instructions("COPY")
        if not line.startswith("--from")
        for word in line.split()[:-1]
    }
    sent = {line[1:] for line in _text(DEPLOY / "Dockerfile.dockerignore").splitlines() if line[:1] == "!"}

    assert sources == packages | {"requirements.lock", "pyproject.toml", "README.md", "LICENSE"}
    assert sent == sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


# ---- secrets -----------------------------------------------------------------------------------------------


def test_secrets_are_files_outside_of_the_project() -> None:
    found = _compose()
    used = {name for service in found["services"].values() for name in service.get("secrets", [])}

    assert used == set(found["secrets"])
    for secret in found["secrets"].values():
        assert set(secret) == {"file"}
        assert secret["file"].startswith("${HOTLINE_FOLDER:-/srv/hotline}/secrets/")


def test_no_password_stands_in_the_environment_of_a_container() -> None:
    for service in _compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or (name.endswith("_FILE") and value.startswith("/run/secrets/"))


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_no_file_that_is_deployed_holds_a_secret(path: Path) -> None:
    assert [found.group() for found in _SECRET.finditer(_text(path))] == []


@pytest.mark.parametrize(
    "line",
    [
        "POSTGRES_PASSWORD: sourdough",
        "-----BEGIN EC PRIVATE KEY-----",
        "postgresql+psycopg://leadline:rye@database/leadline",
        "LEADLINE_TOKEN=ll_wholegrain",
        "CREATE ROLE leadline LOGIN PASSWORD 'sourdough';",
    ],
)
def test_the_search_for_secrets_finds_one(line: str) -> None:
    assert _SECRET.search(line)


def test_what_the_deployed_files_name_is_there() -> None:
    mounted = [
        volume.partition(":")[0]
        for service in _compose()["services"].values()
        for volume in service["volumes"]
        if volume.startswith("./")
    ]

    assert mounted == ["./database.sql"]
    assert [name for name in mounted if not (DEPLOY / name).is_file()] == []


# ---- the pages ---------------------------------------------------------------------------------------------


def _behind(text: str, *starts: str) -> Iterator[str]:
    """Give what follows these beginnings of lines."""
    for line in map(str.strip, text.splitlines()):
        yield from (line.removeprefix(start) for start in starts if line.startswith(start))


def test_each_command_in_a_container_can_be_typed() -> None:
    typed = [_parse(shlex.split(line)) for line in _behind(_text(WORKER_PAGE), "hotline ")]

    assert typed == ["init", "users add", "users add", "doctor"]


def test_the_log_of_a_service_is_turned_up_by_a_command_that_can_be_typed() -> None:
    told = "ExecStart=/opt/leadline/bin/leadline "

    assert [_parse(shlex.split(line)) for line in _behind(_text(WORKER_PAGE), told)] == ["worker"]


def test_the_worker_page_names_every_job_with_its_time() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `([^`]+)`", _text(WORKER_PAGE), re.MULTILINE)

    assert dict(rows) == {schedule.kind: schedule.cron for schedule in SCHEDULES}


def test_the_page_for_two_machines_names_the_schema_and_the_oldest_server() -> None:
    text = _text(MACHINES_PAGE)

    assert f"`{SCHEMA}`" in text
    assert f"PostgreSQL {OLDEST_SERVER // 10_000} or newer" in text


def _statements(name: str) -> list[str]:
    """Give the statements that the page tells an administrator, for a role and database of this name."""
    (block,) = re.findall(r"^```sql\n(.*?)^```$", _text(MACHINES_PAGE), re.MULTILINE | re.DOTALL)
    return [re.sub(r"\bleadline\b", name, line.strip()) for line in block.split(";") if line.strip()]


def _leadline(folder: Path, *words: str) -> None:
    environment = {"PATH": os.environ["PATH"], "LEADLINE_WORKSPACE": str(folder), "LEADLINE_USER": "cai"}
    done = subprocess.run(
        [sys.executable, "-m", "desk.cli", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.needs_postgresql
def test_the_rights_that_the_page_gives_a_role_are_enough_for_a_worker(
    postgresql: str, tmp_path: Path
) -> None:
    server = sa.create_engine(postgresql, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        for statement in _statements("bakery"):
            connection.exec_driver_sql(statement)
    server.dispose()
    own = sa.make_url(postgresql).set(username="bakery", database="bakery")
    _leadline(tmp_path, "init", "--practice", "--database", own.render_as_string(hide_password=False))
    _leadline(tmp_path, "users", "add", "cai", "--role", "supervisor")
    _leadline(tmp_path, "worker", "--once")
    engine = sa.create_engine(own, poolclass=sa.NullPool)
    owners = sa.text("SELECT DISTINCT schemaname, tableowner FROM pg_tables WHERE tableowner <> :admin")
    with engine.connect() as connection:
        found = connection.execute(owners, {"admin": "leadline"}).all()
    engine.dispose()

    assert sorted(map(tuple, found)) == [(SCHEMA, "bakery"), ("public", "bakery")]
