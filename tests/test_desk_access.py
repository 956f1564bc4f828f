"""Roles, log-in and tokens: who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caselog.records.choices import UserRole
from desk.access import ALLOWED, Act
from tests.desk_calls import Desk, desk, password_of

if TYPE_CHECKING:
    from pathlib import Path


def empty(tmp_path: Path) -> Desk:
    made = Desk(folder=tmp_path / "workspace")
    made.run("init", "--practice")
    return made


def test_the_first_user_must_be_a_supervisor(tmp_path: Path) -> None:
    answer = empty(tmp_path).run("users", "add", "ada", "--role", "analyst")

    assert (answer.code, answer.last("error")["kind"]) == (3, "refused")


def test_the_first_user_adds_itself(tmp_path: Path) -> None:
    assert empty(tmp_path).run("users", "add", "cai", "--role", "supervisor", user="ada").code == 3


@pytest.mark.parametrize("user", ["ada", "ben", "dee", "nobody"])
def test_only_a_supervisor_adds_people(tmp_path: Path, user: str) -> None:
    assert desk(tmp_path).run("users", "add", "eve", "--role", "supervisor", user=user).code == 3


@pytest.mark.parametrize("name", ["ada", "", "a b", "-x", "x" * 65, "http://a.example"])
def test_a_taken_or_malformed_name_is_wrong_use(tmp_path: Path, name: str) -> None:
    assert desk(tmp_path).run("users", "add", "--role", "analyst", "--", name, user="cai").code == 2


def test_a_short_password_is_not_taken(tmp_path: Path) -> None:
    arguments = ("users", "add", "eve", "--role", "analyst", "--password-stdin")

    assert desk(tmp_path).run(*arguments, user="cai", stdin="short\n").code == 2


def test_people_are_listed_without_their_secrets(tmp_path: Path) -> None:
    answer = desk(tmp_path).run("users", "list")

    assert [row["name"] for row in answer.rows] == ["cai", "ada", "ben", "dee"]
    assert "argon2" not in answer.out


def test_a_removed_person_may_act_no_longer(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.run("users", "remove", "ada", user="cai")

    assert work.run("leads", "list").code == 3


@pytest.mark.parametrize(
    ("role", "act"),
    [
        *((UserRole.AUDITOR, act) for act in Act if act not in {Act.READ, Act.REVEAL, Act.LEDGER}),
        *(
            (UserRole.ANALYST, act)
            for act in (Act.RELEASE, Act.EXPORT, Act.SEND, Act.KEYS, Act.USERS, Act.PURGE)
        ),
        *((UserRole.OFFICER, act) for act in (Act.KEYS, Act.USERS, Act.PURGE)),
    ],
)
def test_a_role_does_not_reach_beyond_its_acts(role: UserRole, act: Act) -> None:
    assert act not in ALLOWED[role]


def test_an_auditor_changes_nothing(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads("http://127.0.0.1/a", confirm=False)

    assert work.run("leads", "confirm", "1", "--reason", "seen", user="dee").code == 3
    assert work.run("leads", "list", user="dee").rows[0]["state"] == "new"


@pytest.mark.parametrize("stdin", ["", "\n", "wrong-Horse-1\n", password_of("ben") + "\n"])
def test_a_live_confirmation_without_the_right_password_is_refused(tmp_path: Path, stdin: str) -> None:
    work = desk(tmp_path, live=True)
    work.add_leads("http://bread.example/a", confirm=False)

    assert work.run("leads", "confirm", "1", "--reason", "seen", stdin=stdin).code == 3


def test_a_live_confirmation_with_the_password_goes_through(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    work.add_leads("http://bread.example/a", confirm=False)

    assert work.run("leads", "confirm", "1", "--reason", "seen", stdin=password_of("ada") + "\n").code == 0


def test_a_token_works_within_its_scope_only(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    work.add_leads("http://bread.example/a", confirm=False)
    made = work.run("users", "token", "ada", "--scope", "confirm", stdin=password_of("ada") + "\n")
    token = made.rows[0]["token"]

    assert work.run("leads", "list", "1", "--reveal", "--reason", "look", token=token).code == 3
    assert work.run("leads", "confirm", "1", "--reason", "seen", token=token, user="ben").code == 3
    assert work.run("leads", "confirm", "1", "--reason", "seen", token=token + "x").code == 3
    assert work.run("leads", "confirm", "1", "--reason", "seen", token=token).code == 0


def test_a_token_is_stored_as_a_hash_only(tmp_path: Path) -> None:
    work = desk(tmp_path)
    token = work.run("users", "token", "ada", "--scope", "confirm").rows[0]["token"]

    assert not any(token.encode() in file.read_bytes() for file in work.folder.iterdir() if file.is_file())


def test_a_scope_of_unknown_acts_is_wrong_use(tmp_path: Path) -> None:
    assert desk(tmp_path).run("users", "token", "ada", "--scope", "everything").code == 2


def test_nobody_makes_a_token_for_another(tmp_path: Path) -> None:
    assert desk(tmp_path).run("users", "token", "ben", "--scope", "release").code == 3


def test_a_changed_password_ends_the_token(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    work.add_leads("http://bread.example/a", confirm=False)
    old = password_of("ada") + "\n"
    token = work.run("users", "token", "ada", "--scope", "confirm", stdin=old).rows[0]["token"]
    work.run("users", "password", "ada", "--password-stdin", stdin=old + "another-Horse-2\n")

    assert work.run("leads", "confirm", "1", "--reason", "seen", token=token).code == 3
    assert work.run("leads", "confirm", "1", "--reason", "seen", stdin=old).code == 3
    assert work.run("leads", "confirm", "1", "--reason", "seen", stdin="another-Horse-2\n").code == 0
