"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from caselog.config import Config
from crawler.transport.tor import TorState, Trouble
from desk.doctor import DataFile, data_files, tor_findings
from tests.desk_calls import Answer, Desk, desk


def result(answer: Answer, check: str) -> str:
    return next(row["result"] for row in answer.rows if row["check"] == check)


def settings(work: Desk, text: str) -> None:
    with (work.folder / "leadline.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + text + "\n")


def test_a_healthy_practice_workspace_passes(tmp_path: Path) -> None:
    """In a process of its own, because only the program itself switches core dumps off."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "LEADLINE_WORKSPACE": str(desk(tmp_path).folder),
    }
    done = subprocess.run(
        [sys.executable, "-m", "desk.cli", "--json", "doctor"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    answer = Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    assert answer.code == 0
    assert result(answer, "database") == "ok"
    assert result(answer, "core dumps") == "ok"


def test_no_workspace_is_wrong(tmp_path: Path) -> None:
    answer = Desk(folder=tmp_path / "none").run("doctor")

    assert (answer.code, result(answer, "workspace")) == (1, "wrong")


def test_a_key_file_that_others_read_is_wrong(tmp_path: Path) -> None:
    work = desk(tmp_path)
    (work.folder / "keys.json").chmod(0o644)

    assert work.run("doctor").code == 1


def test_a_missing_database_is_wrong(tmp_path: Path) -> None:
    work = desk(tmp_path)
    (work.folder / "casebook.db").unlink()

    assert work.run("doctor").code == 1


def test_a_live_workspace_without_authority_is_wrong(tmp_path: Path) -> None:
    answer = desk(tmp_path, live=True).run("doctor")

    assert (answer.code, result(answer, "authority")) == (1, "wrong")


def test_a_silent_resolver_is_wrong(tmp_path: Path) -> None:
    work = desk(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings(work, f'[network]\nresolver = ["127.0.0.1:{port}"]')

    assert result(work.run("doctor"), "resolver") == "wrong"


def test_a_resolver_that_answers_is_fine(tmp_path: Path) -> None:
    work = desk(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        settings(work, f'[network]\nresolver = ["127.0.0.1:{server.getsockname()[1]}"]')

        def answer_once() -> None:
            question, sender = server.recvfrom(512)
            server.sendto(question, sender)

        thread = threading.Thread(target=answer_once)
        thread.start()
        found = result(work.run("doctor"), "resolver")
        thread.join()

    assert found == "ok"


def test_a_named_table_that_is_missing_is_wrong(tmp_path: Path) -> None:
    work = desk(tmp_path)
    settings(work, '[enrich]\nasn = "nowhere.tsv"')

    assert result(work.run("doctor"), "data: asn") == "wrong"


def test_an_old_table_is_warned_of(tmp_path: Path) -> None:
    work = desk(tmp_path)
    table = tmp_path / "asn.tsv"
    table.write_text("")
    old = datetime.now(UTC) - timedelta(days=200)
    os.utime(table, (old.timestamp(), old.timestamp()))
    settings(work, f'[enrich]\nasn = "{table}"')

    assert result(work.run("doctor"), "data: asn") == "warning"


def test_a_stamp_of_the_future_is_read_as_now() -> None:
    now = datetime.now(UTC)
    found = DataFile(
        name="asn", source="settings", path=None, modified_at=now + timedelta(days=9), size_bytes=0, now=now
    )

    assert found.age_days() == 0


def test_tables_that_are_not_set_are_listed_as_absent(tmp_path: Path) -> None:
    found = {data.name: data.modified_at for data in data_files(tmp_path, Config())}

    assert found["asn"] is None


def test_keys_are_described_and_never_shown(tmp_path: Path) -> None:
    work = desk(tmp_path)
    answer = work.run("key", "status")
    (row,) = answer.rows

    assert (row["mode"], row["fingerprint_epochs"]) == ("0600", [1])
    assert set(row) == {"file", "mode", "masters", "fingerprint_epochs", "rotation_under_way"}


def test_data_status_lists_tables(tmp_path: Path) -> None:
    answer = desk(tmp_path).run("data", "status")

    assert answer.code == 0
    assert {"name", "source", "present", "modified_at", "age_days", "size_bytes"} == set(answer.rows[0])


READY = {
    "progress": 100,
    "phase": "done",
    "has_circuits": True,
    "version": "0.4.9",
    "has_extended_errors": True,
}


@pytest.mark.parametrize(
    ("facts", "practice", "results", "word"),
    [
        ({"trouble": Trouble.SILENT}, False, ["wrong"], "start Tor"),
        ({"trouble": Trouble.LOGIN}, False, ["wrong"], "CookieAuthentication"),
        ({**READY, "is_test_network": True}, False, ["wrong"], "test network"),
        (READY, True, ["wrong"], "no test network"),
        ({**READY, "progress": 45, "phase": "conn_or"}, False, ["wrong", "ok"], "45 % (conn_or)"),
        ({**READY, "has_circuits": False}, False, ["wrong", "ok"], "clock"),
        ({**READY, "has_extended_errors": False}, False, ["ok", "warning"], "ready"),
        ({**READY, "is_test_network": True, "circuits": 7}, True, ["ok", "ok"], "7 circuits, test network"),
    ],
)
def test_the_doctor_says_what_is_wrong_with_tor(
    facts: dict[str, Any], practice: bool, results: list[str], word: str
) -> None:
    found = tor_findings(TorState(**facts), practice=practice)

    assert [finding.result for finding in found] == results
    assert word in found[0].detail


def test_onion_services_without_tor_are_warned_of(tmp_path: Path) -> None:
    work = desk(tmp_path)
    before = result(work.run("doctor"), "tor circuits")
    work.add_leads("http://" + "a2345672" * 7 + ".onion/")

    assert (before, result(work.run("doctor"), "tor circuits")) == ("ok", "warning")


def test_a_tor_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    work = desk(tmp_path)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings(work, f'[network.tor]\nenabled = true\nsocks = "127.0.0.1:{port}"\ncontrol = "127.0.0.1:{port}"')
    answer = work.run("doctor")

    assert {result(answer, "tor circuits"), result(answer, "tor socks")} == {"wrong"}
