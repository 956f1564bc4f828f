"""The errors of the house, divided by what the caller should do next."""

from __future__ import annotations


class CaseError(Exception):
    """Say what happened, to which record, and what to do next.

    Args:
        message: What happened and to what, in one sentence; never a page's text, never an address.
        hint: What the person should do next, in one sentence; may be empty.

    """

    kind = "error"
    exit_status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RefusedError(CaseError):
    """A safeguard said no: never retry.

    Args:
        code: A short stable word for records, such as ``private_address``.

    """

    kind = "refused"
    exit_status = 3

    def __init__(self, message: str, hint: str = "", *, code: str = "refused") -> None:
        super().__init__(message, hint)
        self.code = code


class IntakeError(CaseError):
    """This line of input is bad: report it with its reason and go on."""

    kind = "intake"
    exit_status = 1


class SourceError(CaseError):
    """A source or server failed: retry later."""

    kind = "source"
    exit_status = 4


class OutageError(SourceError):
    """The database is away, busy or full: the same work is done later, as it stands."""


class ConfigError(CaseError):
    """The operator must change a setting, a file or the call."""

    kind = "settings"
    exit_status = 2


class TamperedError(CaseError):
    """The record no longer agrees with the ledger: stop."""

    kind = "tampered"
    exit_status = 5
