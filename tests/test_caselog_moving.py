"""A case log moves to another database whole, is proved there, and is worked on from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from caselog import ledger, schema
from caselog.config import load_config
from caselog.errors import ConfigError
from caselog.migrations import run
from caselog.moving import move, set_database
from caselog.records.leads import Lead
from caselog.slots.local import take_local
from caselog.store.engine import connect
from caselog.workspace import open_workspace, upgrade_workspace
from tests.desk_calls import desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEADS = ("http://bread.example/", "http://trains.example/a", "http://garden.example/b")


def counts(url: str) -> dict[str, int]:
    engine = connect(url, must_exist=True)
    with engine.connect() as connection:
        found = {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in schema.METADATA.tables.items()
        }
    engine.dispose()
    return found


def test_a_database_that_holds_a_case_log_is_not_written_over(
    tmp_path: Path, new_case_log: Callable[[], str]
) -> None:
    work = desk(tmp_path)
    work.add_leads(*LEADS)

    answer = work.run("init", "--database", new_case_log(), user="cai")

    assert (answer.code, answer.last("error")["message"]) == (2, "That database holds a case log already.")
    assert len(work.run("leads", "list").rows) == 3


def test_nobody_moves_a_workspace_whose_worker_is_at_work(
    tmp_path: Path, database_url: Callable[[], str]
) -> None:
    work = desk(tmp_path)
    slot = take_local(work.folder)
    try:
        answer = work.run("init", "--database", database_url(), user="cai")
    finally:
        slot.leave()

    assert answer.code == 3


def test_only_a_supervisor_moves_a_workspace(tmp_path: Path, database_url: Callable[[], str]) -> None:
    assert desk(tmp_path).run("init", "--database", database_url(), user="ada").code == 3


def test_a_workspace_moves_whole_and_goes_on(tmp_path: Path, database_url: Callable[[], str]) -> None:
    work, address = desk(tmp_path), database_url()
    work.add_leads(*LEADS)
    before = counts(work.open().database_url())

    answer = work.run("init", "--database", address, user="cai")

    assert answer.code == 0, answer.err
    assert answer.last("summary")["moved"] == sum(before.values())
    assert counts(address) == before
    workspace = work.open()
    assert workspace.practice
    assert workspace.config.database.url == address
    # numbers go on after those that were copied, and addresses can be read
    assert work.add_leads("http://oven.example/c").code == 0
    with workspace.log.read() as reader:
        assert [(lead.id, lead.url) for lead in reader.find(Lead)] == [
            (number, url) for number, url in enumerate((*LEADS, "http://oven.example/c"), start=1)
        ]
    assert ledger.verify(workspace.log).records > before["entries"]
    workspace.log.close()


def test_a_copy_that_its_ledger_does_not_prove_is_not_taken(
    tmp_path: Path, database_url: Callable[[], str]
) -> None:
    work, address = desk(tmp_path), database_url()
    work.add_leads(*LEADS)
    workspace = work.open()
    with workspace.log.write() as writer:
        writer.connection.exec_driver_sql("DROP TRIGGER refuse_update_leads")
        writer.connection.exec_driver_sql("UPDATE leads SET added_by = 'mallory' WHERE id = 2")

    answer = work.run("init", "--database", address, user="cai")

    assert answer.code == 5
    assert open_workspace(work.folder).config.database.url == "sqlite:///casebook.db"
    workspace.log.close()


def test_an_older_case_log_is_brought_up_to_date_by_init(tmp_path: Path) -> None:
    work = desk(tmp_path)
    engine = connect(work.open().database_url(), must_exist=True)
    run.downgrade(engine, "0001")
    engine.dispose()
    assert "older version" in work.run("leads", "list").last("error")["message"]

    assert work.run("init").code == 0

    assert work.run("leads", "list").code == 0
    assert not upgrade_workspace(work.folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[crawl]\ndepth = 3\n",
        '[database]\nurl = "sqlite:///casebook.db"\n\n[crawl]\ndepth = 3\n',
        '[crawl]\ndepth = 3\n[database]\n# here\nurl = "sqlite:///a.db"',
    ],
)
def test_the_setting_is_written_and_the_others_stay(tmp_path: Path, text: str) -> None:
    path = tmp_path / "leadline.toml"
    path.write_text(text, encoding="utf-8")

    set_database(tmp_path, "postgresql+psycopg://leadline@db.example/leadline")

    config = load_config(tmp_path)
    assert config.database.url == "postgresql+psycopg://leadline@db.example/leadline"
    assert config.crawl.depth == (3 if "depth" in text else 6)
    assert path.stat().st_mode & 0o077 == 0


def test_a_setting_in_the_environment_that_stands_over_the_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_DATABASE__URL", "sqlite:///other.db")

    with pytest.raises(ConfigError, match="stands over"):
        set_database(tmp_path, "sqlite:///new.db")


def test_moving_twice_changes_nothing(tmp_path: Path, database_url: Callable[[], str]) -> None:
    work, address = desk(tmp_path), database_url()
    workspace = work.open()
    move(workspace, address)
    workspace.log.close()
    moved = work.open()

    with pytest.raises(ConfigError, match="holds a case log already"):
        move(moved, address)
    moved.log.close()
