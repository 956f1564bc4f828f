"""Review, evidence, cases, exclusions, lists and the ledger, by command."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from caselog.ledger import seal
from caselog.records.choices import Origin
from caselog.records.leads import Lead, Proposal
from caselog.store.exclusions import excluded_hosts, stopped_hosts
from caselog.store.sites import site_for
from desk.access import now
from tests.caselog_samples import NOW, evidence, page
from tests.desk_calls import Answer, Desk, desk, password_of

if TYPE_CHECKING:
    from pathlib import Path

URLS = ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/b", "http://localhost:8081/c")


def with_evidence(tmp_path: Path) -> Desk:
    """Give a desk with three confirmed leads and one evidence item on each."""
    work = desk(tmp_path)
    work.add_leads(*URLS)
    workspace = work.open()
    with workspace.log.write() as writer:
        for lead in writer.find(Lead):
            writer.append(evidence(writer.append(page(lead))))
        seal(writer)
    workspace.log.close()
    return work


def with_proposal(tmp_path: Path) -> Desk:
    work = with_evidence(tmp_path)
    workspace = work.open()
    with workspace.log.write() as writer:
        lead = writer.append(
            Lead(
                url="http://127.0.0.1:9/found",
                host="127.0.0.1:9",
                site_id=site_for(writer, "127.0.0.1:9"),
                origin=Origin.DISCOVERED,
                added_by="crawl",
                added_at=NOW,
            )
        )
        for score in (0.25, 0.75):
            writer.append(Proposal(lead_id=lead.id, score=score, reasons=("linked",), found_at=now()))
    workspace.log.close()
    return work


# ---- leads ----


def state(work: Desk, number: int) -> str:
    return str(work.run("leads", "list", str(number)).rows[0]["state"])


def test_one_bad_number_does_not_keep_the_others_from_being_confirmed(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS, confirm=False)
    answer = work.run("leads", "confirm", "1", "99", "2", "--reason", "assessed", "--classification", "B2")

    assert answer.code == 1
    assert answer.last("summary") == {"done": 2, "rejected": 1}
    assert [row["state"] for row in work.run("leads", "list").rows] == ["confirmed", "confirmed", "new"]
    assert work.run("leads", "list", "1").rows[0]["classification"] == "B2"


def test_a_lead_on_an_excluded_host_is_not_confirmed(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS, confirm=False)
    work.run("exclude", "add", "localhost")

    assert work.run("leads", "confirm", "3", "--reason", "assessed").code == 3
    assert state(work, 3) == "new"


@pytest.mark.parametrize("reason", ["", "  ", "http://bread.example/", "x" * 2001])
def test_a_decision_needs_a_reason_without_addresses(tmp_path: Path, reason: str) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS, confirm=False)

    assert work.run("leads", "confirm", "1", "--reason", reason).code == 2
    assert state(work, 1) == "new"


def test_a_lead_can_be_rejected_and_closed(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS)
    work.run("leads", "reject", "1", "--outcome", "walled", "--reason", "needs an account")
    work.run("leads", "close", "2", "--reason", "removed")

    assert [state(work, number) for number in (1, 2, 3)] == ["rejected", "closed", "confirmed"]
    assert [row["id"] for row in work.run("leads", "list", "--state", "closed").rows] == [2]


def test_confirming_twice_is_reported(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS)

    assert work.run("leads", "confirm", "1", "--reason", "again").code == 1


def test_a_proposal_is_confirmed_by_the_number_in_its_list(tmp_path: Path) -> None:
    work = with_proposal(tmp_path)
    (row,) = work.run("proposals", "list").rows
    work.run("leads", "confirm", str(row["id"]), "--reason", "same author")
    (after,) = work.run("proposals", "list", "--reveal", "--reason", "check").rows

    assert (row["state"], row["score"], row["url"]) == ("new", 0.75, "hxxp://127[.]0[.]0[.]1:9/found")
    assert (after["state"], after["url"]) == ("confirmed", "http://127.0.0.1:9/found")


# ---- evidence ----


def test_evidence_without_any_legal_code_is_not_confirmed(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.run("leads", "add", "-", "--confirm", stdin="url,report\nhttp://127.0.0.1/,R1\n")
    workspace = work.open()
    with workspace.log.write() as writer:
        (lead,) = writer.find(Lead)
        writer.append(evidence(writer.append(page(lead))))
    workspace.log.close()

    assert work.run("evidence", "confirm", "--all", "--reason", "assessed").code == 1
    assert work.run("evidence", "confirm", "1", "--reason", "assessed", "--classification", "C").code == 0


def test_all_undecided_evidence_is_confirmed_with_the_code_of_its_lead(tmp_path: Path) -> None:
    work = with_evidence(tmp_path)
    work.run("evidence", "reject", "2", "--reason", "a recipe of another kind")
    answer = work.run("evidence", "confirm", "--all", "--reason", "assessed")
    rows = work.run("evidence", "list").rows

    assert answer.last("summary") == {"done": 2, "rejected": 0}
    assert [(row["state"], row["classification"]) for row in rows] == [
        ("confirmed", "A1"),
        ("rejected", None),
        ("confirmed", "A1"),
    ]


def test_live_evidence_is_confirmed_after_a_log_in_only(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    arguments = ("evidence", "confirm", "--all", "--reason", "assessed")

    assert work.run(*arguments).code == 3
    assert work.run(*arguments, stdin=password_of("ada") + "\n").code == 0


def test_evidence_rows_name_their_leaf_and_address(tmp_path: Path) -> None:
    work = with_evidence(tmp_path)
    rows = work.run("evidence", "list", "--reveal", "--reason", "check").rows

    assert [row["url"] for row in rows] == list(URLS)
    assert all(isinstance(row["leaf_index"], int) for row in rows)


# ---- lists ----


@pytest.mark.parametrize("noun", ["leads", "pages", "evidence", "sites", "hosting", "proposals", "terms"])
def test_every_list_works_as_table_and_as_lines(tmp_path: Path, noun: str) -> None:
    work = with_proposal(tmp_path)
    table = work.run(noun, "list", options=())
    lines = work.run(noun, "list", "--reveal", "--reason", "check")

    assert (table.code, lines.code) == (0, 0)
    assert not any(url in table.out for url in URLS)


def test_sites_are_counted_under_their_tags(tmp_path: Path) -> None:
    rows = with_evidence(tmp_path).run("sites", "list").rows

    assert [(row["pages"], row["evidence"], row["host"]) for row in rows] == [
        (2, 2, "127[.]0[.]0[.]1:8080"),
        (1, 1, "localhost:8081"),
    ]
    assert all(row["tag"].startswith("s-") for row in rows)


# ---- exclusions ----


def test_excluded_and_stopped_hosts_stand_in_the_log_at_once(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.run("exclude", "add", "Court.EXAMPLE.", "--reason", "a court")
    work.run("stop", "http://localhost:8081/c")
    work.run("exclude", "add", "help.example")
    work.run("exclude", "remove", "help.example")
    workspace = work.open()
    with workspace.log.read() as reader:
        found = excluded_hosts(reader), stopped_hosts(reader)
    workspace.log.close()

    assert found == ({"court.example"}, {"localhost:8081"})
    assert [row["state"] for row in work.run("exclude", "list").rows] == ["excluded", "stopped"]


@pytest.mark.parametrize("host", ["", "a b", "http://", "-"])
def test_a_malformed_host_is_not_excluded(tmp_path: Path, host: str) -> None:
    assert desk(tmp_path).run("exclude", "add", "--", host).code == 2


def test_an_auditor_excludes_nothing(tmp_path: Path) -> None:
    assert desk(tmp_path).run("exclude", "add", "help.example", user="dee").code == 3


# ---- cases ----


def cases(work: Desk) -> dict[int, list[int]]:
    return {row["id"]: row["leads"] for row in work.run("cases", "list").rows}


def test_each_confirmed_lead_opens_a_case_once(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS)
    work.run("leads", "confirm", "1", "--reason", "again", "--classification", "B2")

    assert cases(work) == {1: [1], 2: [2], 3: [3]}


def test_cases_merge_and_split(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS)
    work.run("cases", "merge", "2", "1")
    merged = cases(work)
    work.run("cases", "merge", "3", "1")
    work.run("cases", "split", "1", "2", "3")

    assert merged == {1: [1, 2], 2: [], 3: [3]}
    assert cases(work) == {1: [1], 2: [], 3: [], 4: [2, 3]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("merge", "1", "1"),
        ("merge", "1", "9"),
        ("split", "1", "2"),
        ("assign", "1", "nobody"),
        ("assign", "9", "ada"),
        ("note", "1", "see bread.example"),
        ("show", "9"),
    ],
)
def test_a_change_of_a_case_that_makes_no_sense_changes_nothing(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS)

    assert work.run("cases", *arguments).code in {1, 2}
    assert cases(work) == {1: [1], 2: [2], 3: [3]}


def test_a_case_shows_its_assignments_and_notes(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(*URLS)
    work.run("cases", "assign", "1", "ben")
    work.run("cases", "note", "1", "called the baker")
    (row,) = work.run("cases", "show", "1").rows

    assert row["assignee"] == "ben"
    assert [change["action"] for change in row["changes"]] == ["joined", "assigned", "noted"]
    assert row["changes"][-1]["note"] == "called the baker"


# ---- ledger ----


def exported(work: Desk, tmp_path: Path, *more: str) -> Answer:
    return work.run("ledger", "export", str(tmp_path / "export"), *more)


def test_a_changed_record_is_found(tmp_path: Path) -> None:
    work = with_evidence(tmp_path)
    database = sqlite3.connect(work.folder / "casebook.db")
    triggers = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'evidence'"
    )
    for (name,) in triggers.fetchall():
        database.execute(f"DROP TRIGGER {name}")
    database.execute("UPDATE evidence SET score = 99 WHERE id = 1")
    database.commit()
    database.close()

    assert work.run("ledger", "verify").code == 5


def test_an_empty_folder_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()

    assert desk(tmp_path).run("ledger", "verify", "--from", str(tmp_path / "export")).code == 2


def test_the_ledger_holds_here_and_in_its_export(tmp_path: Path) -> None:
    work = with_evidence(tmp_path)
    here = work.run("ledger", "verify")
    answer = exported(work, tmp_path, "--open", "1")
    there = work.run("ledger", "verify", "--from", str(tmp_path / "export"))

    assert (here.code, answer.code, there.code) == (0, 0, 0)
    assert here.rows[0]["unsealed"] == 0
    assert there.rows[0]["root"] == answer.rows[0]["root"]


def test_an_export_can_open_only_evidence_that_exists(tmp_path: Path) -> None:
    assert exported(with_evidence(tmp_path), tmp_path, "--open", "9").code == 1


def test_a_live_export_of_the_ledger_asks_a_log_in(tmp_path: Path) -> None:
    assert exported(desk(tmp_path, live=True), tmp_path).code == 3
