"""Who acts, what their role allows, and the log-in that grave acts ask in a live workspace."""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
import pwd
import re
import secrets
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from caselog.errors import ConfigError, IntakeError, RefusedError
from caselog.records.choices import UserRole
from caselog.records.ids import UserId
from caselog.records.people import User
from caselog.store.users import user_named, users

if TYPE_CHECKING:
    from caselog.store.log import Reader
    from caselog.workspace import Workspace

TOKEN_VARIABLE = "LEADLINE_TOKEN"  # noqa: S105 -- the name of a variable
PASSWORD_CHARACTERS = 10
_NAME = re.compile(r"\w[\w.-]{0,63}")


class Act(StrEnum):
    """What somebody wants to do; also the words of a token's scope."""

    READ = "read"
    REVEAL = "reveal"
    LEDGER = "ledger"
    LEADS = "leads"
    CONFIRM = "confirm"
    CASES = "cases"
    EXCLUDE = "exclude"
    TERMS = "terms"
    CRAWL = "crawl"
    ENRICH = "enrich"
    EVIDENCE = "evidence"
    CHECKS = "checks"
    DRAFT = "draft"
    RELEASE = "release"
    EXPORT = "export"
    SEND = "send"
    KEYS = "keys"
    USERS = "users"
    PURGE = "purge"


LOGIN_ACTS = frozenset(
    {Act.CONFIRM, Act.RELEASE, Act.REVEAL, Act.EXPORT, Act.LEDGER, Act.SEND, Act.PURGE, Act.KEYS}
)
"""The acts for which a live workspace asks a password or a token of that scope."""

_EVERYBODY = frozenset({Act.READ, Act.REVEAL, Act.LEDGER})
_ANALYST = _EVERYBODY | {
    *(Act.LEADS, Act.CONFIRM, Act.CASES, Act.EXCLUDE, Act.TERMS, Act.CRAWL),
    *(Act.ENRICH, Act.EVIDENCE, Act.CHECKS, Act.DRAFT),
}
ALLOWED: dict[UserRole, frozenset[Act]] = {
    UserRole.AUDITOR: _EVERYBODY,
    UserRole.ANALYST: _ANALYST,
    UserRole.OFFICER: _ANALYST | {Act.RELEASE, Act.EXPORT, Act.SEND},
    UserRole.SUPERVISOR: frozenset(Act),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """The person in whose name a command runs."""

    name: str
    role: UserRole
    os_user: str


def require(workspace: Workspace, name: str | None, act: Act) -> Acting:
    """Return who acts, when that person may do `act`.

    Args:
        workspace: Where they act; a practice workspace asks no log-in.
        name: As given by `--user`; None stands for the log-in name at the operating system.
        act: What they want to do.

    Raises:
        RefusedError: Unknown, inactive, of another role, or not logged in.

    """
    wanted = name or os_user()
    with workspace.log.read() as reader:
        user = user_named(reader, wanted)
        anybody = user is not None or bool(users(reader))
    if user is None or not user.active:
        raise _unknown(wanted, anybody=anybody)
    if act not in ALLOWED[user.role]:
        raise RefusedError(
            f"{user.name} is {_article(user.role)} and may not do this ({act.value}).",
            f"Act as somebody else with --user: {_who_may(act)}.",
            code="role",
        )
    if act in LOGIN_ACTS and not workspace.practice:
        log_in(user, act)
    return Acting(name=user.name, role=user.role, os_user=os_user())


def log_in(user: User, act: Act) -> None:
    """Ask for the password of `user`, or take the token in `LEADLINE_TOKEN`.

    Raises:
        RefusedError: Neither is right, or the token's scope does not hold the act.

    """
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token:
        _check_token(user, act, token)
        return
    if not is_password(user, read_password(f"Password of {user.name}: ")):
        raise RefusedError(
            f"This needs the log-in of {user.name}, and the password was missing or wrong.",
            f"Give the password, or a token in {TOKEN_VARIABLE} (leadline users token).",
            code="login",
        )


def _check_token(user: User, act: Act, token: str) -> None:
    digest = hashlib.sha256(token.encode()).hexdigest()
    if not user.token_hash or not hmac.compare_digest(digest, user.token_hash):
        raise RefusedError(
            f"The token in {TOKEN_VARIABLE} is not the one of {user.name}.",
            "Make a new one: leadline users token NAME --scope confirm.",
            code="login",
        )
    if act.value not in user.token_scope.split(","):
        raise RefusedError(
            f"The token of {user.name} does not allow this ({act.value}).",
            f"Make one with --scope {act.value}, or give the password.",
            code="scope",
        )


def read_password(prompt: str) -> str:
    """Return a password typed unseen, or the next line of standard input where that is no terminal."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return read_line()


def read_line() -> str:
    """Return the next line of standard input; what follows stays there for whoever reads it next."""
    # The text layer would read ahead and swallow the rows of a file that follows.
    return sys.stdin.buffer.readline().decode("utf-8", "replace").rstrip("\r\n")


def is_password(user: User, password: str) -> bool:
    """Tell whether this is the password of `user`; a user without one has none that is right."""
    if not user.password_hash or not password:
        return False
    try:
        return PasswordHasher().verify(user.password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def new_user(
    reader: Reader, *, name: str, role: UserRole, password: str, adder: str | None, now: datetime
) -> User:
    """Return the record of a new person; the first is a supervisor who adds itself.

    Args:
        reader: Who is known already.
        name: Letters, digits, `_`, `.` and `-`, at most 64.
        role: What they may do.
        password: Empty for none, as practice workspaces allow.
        adder: Who adds, by name; the caller has checked the role of all but the first.
        now: The time of the record.

    Raises:
        ConfigError: The name is taken or malformed, or the password too short.
        RefusedError: The first person is no supervisor, or is added by somebody else.

    """
    if not _NAME.fullmatch(name):
        raise ConfigError("This user name is not usable.", "Take letters, digits, _ and -, at most 64.")
    if user_named(reader, name) is not None:
        raise ConfigError(
            f"There is a user {name} already.", "Choose another name; list: leadline users list."
        )
    first = not users(reader)
    if first and (role is not UserRole.SUPERVISOR or adder not in {None, name}):
        raise RefusedError(
            "The first user must be a supervisor who adds itself.",
            "leadline --user NAME users add NAME --role supervisor",
            code="first_user",
        )
    return User(
        name=name,
        role=role,
        password_hash=hash_password(password) if password else "",
        added_by=name if first else adder or os_user(),
        added_at=now,
    )


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password in its PHC string form.

    Raises:
        ConfigError: It is shorter than `PASSWORD_CHARACTERS`.

    """
    if len(password) < PASSWORD_CHARACTERS:
        raise ConfigError(
            f"A password needs at least {PASSWORD_CHARACTERS} characters.", "Choose a longer one."
        )
    return PasswordHasher().hash(password)


def require_self(workspace: Workspace, name: str) -> Acting:
    """Return the acting person after a log-in, for changes of their own log-in; any role may.

    Raises:
        RefusedError: Unknown, inactive or not logged in.

    """
    acting = require(workspace, name, Act.READ)
    with workspace.log.read() as reader:
        user = user_named(reader, name)
    if user is not None and not workspace.practice:
        log_in(user, Act.KEYS)
    return acting


def existing_user(reader: Reader, name: str) -> User:
    """Return a person by name.

    Raises:
        IntakeError: There is none.

    """
    user = user_named(reader, name)
    if user is None:
        raise IntakeError(f"There is no user {name}.", "List them: leadline users list.")
    return user


def with_password(user: User, password: str, *, adder: str, now: datetime) -> User:
    """Return the user's next row with a new password; an older token holds no longer.

    Raises:
        ConfigError: The password is too short.

    """
    row = _next_row(user, adder, now)
    return replace(row, password_hash=hash_password(password), token_hash="", token_scope="")


def removed(user: User, *, adder: str, now: datetime) -> User:
    """Return the user's next row, with which they may act no longer.

    Raises:
        ConfigError: Somebody removes themselves, which could leave nobody.

    """
    if user.name == adder:
        raise ConfigError("Nobody removes themselves.", "Let another supervisor do it.")
    return replace(_next_row(user, adder, now), active=False, token_hash="", token_scope="")


def scope_of(text: str) -> frozenset[Act]:
    """Return the acts in a comma-separated scope.

    Raises:
        ConfigError: A word is no act that asks a log-in.

    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {act.value: act for act in LOGIN_ACTS}
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        raise ConfigError(
            f"A scope holds no such act: {', '.join(unknown) or 'none given'}.",
            "Acts: " + ", ".join(sorted(known)) + ".",
        )
    return frozenset(known[word] for word in words)


def with_token(user: User, scope: frozenset[Act], *, adder: str, now: datetime) -> tuple[User, str]:
    """Return the user's next row and the new token, which is stored nowhere; it replaces an older one."""
    token = "ll_" + secrets.token_urlsafe(32)
    row = replace(
        _next_row(user, adder, now),
        token_hash=hashlib.sha256(token.encode()).hexdigest(),
        token_scope=",".join(sorted(act.value for act in scope)),
    )
    return row, token


def os_user() -> str:
    """Return the log-in name at the operating system; asked of the system, not of the environment."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name[:64]
    except KeyError:
        return f"uid-{os.getuid()}"


def now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


def _unknown(name: str, *, anybody: bool) -> RefusedError:
    first = "leadline --user NAME users add NAME --role supervisor"
    ask = "Choose with --user or LEADLINE_USER, or let a supervisor add them: leadline users add."
    return RefusedError(
        f"There is no active user {name} in this workspace.",
        ask if anybody else f"Add the first person: {first}",
        code="user",
    )


def _next_row(user: User, adder: str, now: datetime) -> User:
    return replace(user, id=UserId(0), added_by=adder, added_at=now)


def _article(role: UserRole) -> str:
    return f"{'an' if role.value[0] in 'ao' else 'a'} {role.value}"


def _who_may(act: Act) -> str:
    return "an " + " or ".join(role.value for role in UserRole if act in ALLOWED[role])
