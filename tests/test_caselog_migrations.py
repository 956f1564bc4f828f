"""One history of the tables for both databases; it ends at the schema and can be taken back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.migrations import run
from caselog.store.engine import connect
from caselog.store.log import create_case_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from caselog.vault import Keys


def test_the_program_works_with_the_newest_migration() -> None:
    assert run.newest() == schema.REVISION


def test_the_history_ends_at_the_schema(database_url: Callable[[], str]) -> None:
    engine = connect(database_url(), must_exist=False)
    run.upgrade(engine)
    run.check(engine)
    tables = set(sa.inspect(engine).get_table_names())
    engine.dispose()

    assert tables == {*schema.METADATA.tables, "alembic_version"}


def test_every_append_only_table_is_guarded(database_url: Callable[[], str]) -> None:
    engine = connect(database_url(), must_exist=False)
    run.upgrade(engine)
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with engine.connect() as connection:
        found = set(connection.exec_driver_sql(query).scalars())
    engine.dispose()

    assert found >= {f"refuse_{act}_{name}" for name in schema.APPEND_ONLY for act in ("update", "delete")}


def test_the_history_can_be_taken_back_and_run_again(database_url: Callable[[], str]) -> None:
    engine = connect(database_url(), must_exist=False)
    run.upgrade(engine)
    run.downgrade(engine)
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]
    run.upgrade(engine)
    run.check(engine)
    engine.dispose()


def test_making_a_case_log_twice_keeps_what_is_there(database_url: Callable[[], str], keys: Keys) -> None:
    url = database_url()
    first = create_case_log(url, keys)
    with first.write() as writer:
        writer.set_fact("note", "a")
    first.close()
    again = create_case_log(url, keys)
    with again.read() as reader:
        assert reader.fact("note") == "a"
        assert (
            reader.connection.execute(sa.select(sa.func.count()).select_from(schema.data_keys)).scalar() == 1
        )
    again.close()


def test_migrations_run_in_any_folder_without_a_settings_file(tmp_path: Path) -> None:
    program = (
        "from caselog.store.log import create_case_log; from caselog.vault import Keys;"
        "create_case_log('sqlite:///new.db', Keys.fresh()).close()"
    )
    root = Path(run.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "new.db").exists()


def test_the_wheel_holds_the_migrations() -> None:
    """Everything below caselog that a fresh database needs is a Python package or is named in pyproject."""
    import tomllib

    root = Path(run.__file__).parents[2]
    named = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
        "caselog"
    ]

    assert (root / "caselog/migrations/versions/__init__.py").exists()
    assert "migrations/*.mako" in named
