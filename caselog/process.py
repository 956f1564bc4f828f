"""A process that leaves nothing behind: no core dump, no memory readable by others, no addresses in logs."""

from __future__ import annotations

import ctypes
import logging
import re
import resource
import sys

PR_SET_DUMPABLE = 4
OURS = ("caselog", "crawler", "enrich", "exports", "desk")
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}://"  # a URL of any scheme
    r"|\b(?:\d{1,3}\.){3}\d{1,3}\b"  # IPv4
    r"|\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\b"  # IPv6
    r"|(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]{1,62}\b(?!\()",  # a host name
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\b(?:scrapy|twisted|aiohttp|sqlalchemy|alembic|asyncio|crawler|caselog|enrich|exports|desk|builtins|dns|stem|urllib3)"
    r"(?:\.\w+)+\b|\b[\w-]+\.(?:py|toml|db|json|csv|txt)\b|\b\d+\.\d+(?:\.\d+)?(?:s|ms)?\b|\b\d\d:\d\d:\d\d\b",
    re.IGNORECASE,
)


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
    """Tell whether a line of text holds what looks like a URL, a host name or an IP address."""
    return bool(_ADDRESS.search(_HARMLESS.sub(" ", message)))


class AddressFilter(logging.Filter):
    """Drop each log record whose text holds an address, and every traceback's values.

    Our own modules log ids and counts only; libraries log addresses at will (Scrapy does at INFO).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for a record that must not be written."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
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
