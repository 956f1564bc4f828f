"""Reveals: few, by id, with a reason, recorded first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caselog.records.choices import Subject
from caselog.records.people import Reveal
from tests.desk_calls import Desk, desk, password_of

if TYPE_CHECKING:
    from pathlib import Path


def live_desk(tmp_path: Path, leads: int) -> Desk:
    work = desk(tmp_path, live=True)
    work.add_leads(*(f"http://bread.example/{number}" for number in range(leads)), confirm=False)
    return work


def reveal(work: Desk, *ids: int, reason: str = "review", password: str = "", user: str = "ada") -> int:
    return work.run(
        "leads",
        "list",
        "--reveal",
        *(["--reason", reason] if reason else []),
        *map(str, ids),
        user=user,
        stdin=(password or password_of(user)) + "\n",
    ).code


def recorded(work: Desk) -> list[Reveal]:
    workspace = work.open()
    with workspace.log.read() as reader:
        found = reader.find(Reveal)
    workspace.log.close()
    return found


@pytest.mark.parametrize(
    ("ids", "reason", "password", "code"),
    [
        ((), "review", "", 3),
        (tuple(range(1, 22)), "review", "", 3),
        ((1,), "", "", 2),
        ((1,), "see bread.example", "", 2),
        ((1,), "review", "wrong-Horse-99", 3),
    ],
)
def test_a_live_reveal_beyond_its_bounds_shows_and_records_nothing(
    tmp_path: Path, ids: tuple[int, ...], reason: str, password: str, code: int
) -> None:
    work = live_desk(tmp_path, 21)

    assert reveal(work, *ids, reason=reason, password=password) == code
    assert recorded(work) == []


def test_the_daily_cap_holds_until_a_supervisor_lifts_it(tmp_path: Path) -> None:
    work = live_desk(tmp_path, 20)
    codes = [reveal(work, *range(1, 21)) for _ in range(6)]
    lifted = work.run("users", "lift", "ada", "--reason", "large report", user="cai")

    assert codes == [0, 0, 0, 0, 0, 3]
    assert lifted.rows == [{"name": "ada", "left": 100}]
    assert reveal(work, 1) == 0


def test_an_analyst_cannot_lift_the_cap(tmp_path: Path) -> None:
    assert desk(tmp_path).run("users", "lift", "ada", "--reason", "more", user="ada").code == 3


def test_a_live_reveal_by_id_is_recorded(tmp_path: Path) -> None:
    work = live_desk(tmp_path, 3)
    code = reveal(work, 2, 3)
    (found,) = recorded(work)

    assert code == 0
    assert (found.subject, found.subject_ids, found.revealed_by) == (Subject.LEAD, (2, 3), "ada")
    assert found.reason == "review"


def test_an_auditor_may_reveal(tmp_path: Path) -> None:
    assert reveal(live_desk(tmp_path, 1), 1, user="dee") == 0


def test_a_practice_reveal_shows_all_and_is_recorded(tmp_path: Path) -> None:
    work = desk(tmp_path)
    urls = [f"http://127.0.0.1/{number}" for number in range(310)]
    work.add_leads(*urls, confirm=False)
    answer = work.run("leads", "list", "--reveal")

    assert [row["url"] for row in answer.rows] == urls
    assert [len(found.subject_ids) for found in recorded(work)] == [300, 10]


def test_addresses_are_defanged_unless_revealed(tmp_path: Path) -> None:
    work = live_desk(tmp_path, 1)
    (row,) = work.run("leads", "list").rows

    assert (row["url"], row["host"]) == ("hxxp://bread[.]example/0", "bread[.]example")


def test_a_record_that_does_not_exist_is_named_and_the_others_shown(tmp_path: Path) -> None:
    work = live_desk(tmp_path, 1)
    answer = work.run("leads", "list", "1", "9")

    assert answer.code == 1
    assert [row["id"] for row in answer.rows] == [1]
    assert "9" in answer.err
