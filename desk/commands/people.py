"""`users`: the people of the workspace, their roles and log-ins."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from desk.call import Call, call_of, seal

if TYPE_CHECKING:
    from caselog.workspace import Workspace


class RoleName(StrEnum):
    """The roles, as the command line takes them."""

    ANALYST = "analyst"
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"


PASSWORD_STDIN = typer.Option(False, "--password-stdin", help="Read the password from standard input.")


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    users = typer.Typer(help="People, their roles and log-ins.", no_args_is_help=True)
    users.command("add", epilog="Example: leadline --user cai users add ada --role analyst")(add)
    users.command("list", epilog="Example: leadline users list")(list_users)
    users.command("token", epilog="Example: leadline users token ben --scope release,export")(token)
    users.command("password", epilog="Example: leadline users password ada")(password)
    users.command("remove", epilog="Example: leadline --user cai users remove ada")(remove)
    users.command("lift", epilog='Example: leadline --user cai users lift ada --reason "large report"')(lift)
    root.add_typer(users, name="users")


def add(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME", help="How the person is called here."),
    role: RoleName = typer.Option(help="What the person may do."),
    password_stdin: bool = PASSWORD_STDIN,
) -> None:
    """Add a person; the first is a supervisor who adds itself, then supervisors add the others."""
    from caselog.records.choices import UserRole
    from desk.access import Act, new_user, now, require

    call = call_of(context)
    with call.workspace() as workspace:
        adder = require(workspace, call.user, Act.USERS).name if _is_peopled(workspace) else call.user
        secret = _new_password(name, from_stdin=password_stdin, practice=workspace.practice)
        with workspace.log.write() as writer:
            user = new_user(
                writer, name=name, role=UserRole(role.value), password=secret, adder=adder, now=now()
            )
            writer.append(user)
        seal(workspace)
    call.out.row({"name": user.name, "role": user.role, "added_by": user.added_by})


def list_users(context: typer.Context) -> None:
    """List the people of the workspace."""
    from caselog.store.users import users
    from desk.access import Act, require
    from desk.rows import USER_COLUMNS, user_row

    call = call_of(context)
    with call.workspace() as workspace:
        if _is_peopled(workspace):
            require(workspace, call.user, Act.READ)
        with workspace.log.read() as reader:
            rows = [user_row(user) for user in users(reader)]
    call.out.rows(rows, USER_COLUMNS)


def token(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME", help="Whose token."),
    scope: str = typer.Option(metavar="ACTS", help="What it allows, such as confirm,export."),
) -> None:
    """Make a token that stands for the password of a person in scripts; shown once, only its hash is kept."""
    from desk.access import existing_user, now, scope_of, with_token

    call = call_of(context)
    acts = scope_of(scope)
    with call.workspace() as workspace:
        adder = _self_or_supervisor(call, workspace, name)
        with workspace.log.write() as writer:
            row, secret = with_token(existing_user(writer, name), acts, adder=adder, now=now())
            writer.append(row)
        seal(workspace)
    call.out.row({"name": name, "scope": row.token_scope.split(","), "token": secret})
    call.out.say("Keep it: it is not shown again. Use it as LEADLINE_TOKEN.")


def password(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME", help="Whose password."),
    password_stdin: bool = PASSWORD_STDIN,
) -> None:
    """Change a password: one's own, or any as a supervisor."""
    from desk.access import existing_user, now, with_password

    call = call_of(context)
    with call.workspace() as workspace:
        adder = _self_or_supervisor(call, workspace, name)
        secret = _new_password(name, from_stdin=password_stdin, practice=False)
        with workspace.log.write() as writer:
            user = existing_user(writer, name)
            writer.append(with_password(user, secret, adder=adder, now=now()))
        seal(workspace)
    call.out.say(f"The password of {name} is changed; an older token no longer holds.")


def remove(context: typer.Context, name: str = typer.Argument(metavar="NAME", help="Who leaves.")) -> None:
    """Let a person act no longer; what they did stays recorded."""
    from desk.access import Act, existing_user, now, removed

    call = call_of(context)
    with call.acting(Act.USERS) as (workspace, acting), workspace.log.write() as writer:
        writer.append(removed(existing_user(writer, name), adder=acting.name, now=now()))
    call.out.say(f"{name} may no longer act here.")


def lift(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME", help="Whose cap."),
    reason: str = typer.Option(metavar="TEXT", help="Why."),
) -> None:
    """Let a person reveal as many addresses again within the present 24 hours."""
    from caselog.records.choices import Subject, Verdict
    from desk.access import Act, existing_user, now
    from desk.reveal import LIFT, checked_reason, left_today
    from desk.verdicts import decide

    call = call_of(context)
    why = checked_reason(reason, "lift")
    with call.acting(Act.USERS) as (workspace, acting), workspace.log.write() as writer:
        user = existing_user(writer, name)
        at, detail = now(), f"{LIFT}:{name}"
        decide(writer, acting, Subject.WORKSPACE, user.id, Verdict.CLEARED, now=at, reason=why, detail=detail)
        left = left_today(writer, name, at)
    call.out.row({"name": name, "left": left})


def _is_peopled(workspace: Workspace) -> bool:
    from caselog.store.users import users

    with workspace.log.read() as reader:
        return bool(users(reader))


def _self_or_supervisor(call: Call, workspace: Workspace, name: str) -> str:
    """Return who acts: the person itself after a log-in, or a supervisor."""
    from desk.access import Act, os_user, require, require_self

    if (call.user or os_user()) == name:
        return require_self(workspace, name).name
    return require(workspace, call.user, Act.KEYS).name


def _new_password(name: str, *, from_stdin: bool, practice: bool) -> str:
    from caselog.errors import ConfigError
    from desk.access import read_line

    if from_stdin:
        return read_line()
    if not sys.stdin.isatty():
        if practice:
            return ""
        raise ConfigError(
            "A password is needed and nobody can be asked.", "Pipe it in with --password-stdin."
        )
    import getpass

    typed = getpass.getpass(f"New password of {name}: ")
    if typed != getpass.getpass("Once more: "):
        raise ConfigError("The two passwords differ.", "Type the same twice.")
    return typed
