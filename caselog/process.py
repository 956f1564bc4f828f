"""A process that leaves nothing behind: no core dump, no memory readable by others, no addresses in logs."""

from __future__ import annotations

import ctypes
import ipaddress
import logging
import re
import resource
import sys

PR_SET_DUMPABLE = 4
OURS = ("caselog", "crawler", "enrich", "exports", "desk")
_URL_OR_MAIL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://|\[\.\]|[\w.+-]+@[\w-]+", re.IGNORECASE)
_DOTTED = re.compile(r"[\w-]+(?:[.。．｡][\w-]+)+")  # noqa: RUF001 - the dots that browsers take for a full stop
_COLONS = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.\d+){0,3}(?![\w:])", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+){1,2}(?:s|ms|(?:a|b|rc)\d+)?")
_FILE = re.compile(r"[\w-]+\.(?:toml|db|json|csv|txt)")
_SHORT = re.compile(r"(?:\w+\.)+[^\W\d_]")
"""Such as e.g, which ends in a single letter and is no host name."""


def harden_process() -> None:
    """Switch core dumps off and make the memory of this process unreadable to other users' tools."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_dumpable() -> bool:
    """Tell whether this process could still leave a core file."""
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0:
        return False
    return resource.getrlimit(resource.RLIMIT_CORE)[0] != 0


def holds_address(message: str) -> bool:
    """Tell whether a line of text holds what looks like a URL, a host name or an IP address.

    A run of labels is judged as a whole: a version, a file, or a module that is loaded here is no address.
    """
    if _URL_OR_MAIL.search(message) or not all(map(_is_harmless, _DOTTED.findall(message))):
        return True
    return any(map(_is_ip_address, _COLONS.findall(message)))


def _is_harmless(run: str) -> bool:
    if _NUMBER.fullmatch(run) or _FILE.fullmatch(run) or _SHORT.fullmatch(run):
        return True
    return ".".join(run.split(".")[:2]) in sys.modules


def _is_ip_address(run: str) -> bool:
    try:
        ipaddress.ip_address(run)
    except ValueError:
        return False
    return True


class AddressFilter(logging.Filter):
    """Drop each log record whose text holds an address, and every traceback's values.

    Our own modules log ids and counts only; libraries log addresses at will (Scrapy does at INFO).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for a record that must not be written."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return False
        if record.exc_info or record.exc_text or record.stack_info:
            record.msg, record.args = f"{message} [{_error_name(record)}]", ()
            record.exc_info = record.exc_text = record.stack_info = None
        return not holds_address(record.getMessage())


def _error_name(record: logging.LogRecord) -> str:
    kind = record.exc_info[0] if record.exc_info else None
    return kind.__name__ if kind else "error"


def _tells_the_story(record: logging.LogRecord) -> bool:
    """Tell whether an operator wants to read it: our own records, and the warnings of libraries."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in OURS


def start_logging(level: int) -> None:
    """Send log records of at least `level` to standard error, through the address filter.

    The filter sits on the handler and on the root logger's own records, so that no library escapes it.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(level)
    handler.addFilter(AddressFilter())
    handler.addFilter(lambda record: level <= logging.DEBUG or _tells_the_story(record))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
