"""A process leaves no core, no values in tracebacks and no addresses in its log."""

from __future__ import annotations

import ipaddress
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.process import AddressFilter, holds_address
from desk.output import bug_report
from tests.crawl_samples import HTML, ROOT, Program, html, running, wait_until, work_at
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.web import Reply, Request

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
RAISE_LIMIT = """
import os, resource, signal, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
from caselog.process import harden_process, is_dumpable
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def core_limits(pid: int) -> list[str]:
    with open(f"/proc/{pid}/limits", encoding="ascii") as lines:
        return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


# ---- core dumps


@linux_only
def test_a_hardened_process_that_breaks_leaves_no_core(tmp_path: Path) -> None:
    done = python(RAISE_LIMIT + "harden_process(); os.kill(os.getpid(), signal.SIGSEGV)", tmp_path)

    assert done.returncode == -signal.SIGSEGV
    assert list(tmp_path.iterdir()) == []


@linux_only
def test_a_hardened_process_may_not_be_dumped_and_cannot_take_that_back(tmp_path: Path) -> None:
    code = RAISE_LIMIT + (
        "harden_process()\n"
        "print(is_dumpable(), *resource.getrlimit(resource.RLIMIT_CORE))\n"
        "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )

    assert python(code, tmp_path).stdout.split() == ["False", "0", "0", "0"]


@linux_only
@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="no core is possible here")
def test_a_process_that_was_not_hardened_may_be_dumped(tmp_path: Path) -> None:
    assert python(RAISE_LIMIT + "print(is_dumpable())", tmp_path).stdout.strip() == "True"


@linux_only
def test_a_running_crawl_leaves_no_core(tmp_path: Path) -> None:
    """The crawl is broken while it holds a page in its memory."""
    held, go_on = threading.Event(), threading.Event()

    def hold(_: Request) -> Reply:
        held.set()
        go_on.wait(30)
        return 404, HTML, b""

    with WebServer({"/": html("root", links=("/loaf",)), "*": hold}) as server:
        work = work_at(tmp_path / "run")
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        before = set((tmp_path / "run").rglob("*core*"))
        with running(program.start("crawl")) as child:
            wait_until(held.is_set)
            limits = core_limits(child.pid)
            child.send_signal(signal.SIGSEGV)
            status = child.wait(30)
        go_on.set()

    assert limits == ["0", "0"]
    assert status == -signal.SIGSEGV
    assert set((tmp_path / "run").rglob("*core*")) == before


# ---- tracebacks


def broken(page: str) -> None:
    try:
        int(page)
    except ValueError as error:
        raise RuntimeError(f"cannot read {page}") from error


def test_a_report_of_a_bug_names_places_and_kinds_only() -> None:
    with pytest.raises(RuntimeError) as caught:
        broken("sourdough at bread.example")

    report = bug_report(caught.value)
    assert "in broken" in report
    assert ("ValueError" in report, "RuntimeError" in report) == (True, True)
    assert "sourdough" not in report
    assert "bread.example" not in report


def test_a_logged_exception_loses_its_values() -> None:
    record = logging.LogRecord("bread", logging.ERROR, "x.py", 1, "it broke", (), None)
    with pytest.raises(RuntimeError) as caught:
        broken("sourdough")
    record.exc_info = (type(caught.value), caught.value, caught.value.__traceback__)
    record.stack_info = "sourdough"

    assert AddressFilter().filter(record)
    assert logging.Formatter().format(record) == "it broke [RuntimeError]"


# ---- the filter

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
ADDRESSES = (
    "GET http://bread.example/rye",
    "crawled <https://bread.example:8443/>",
    "socks5h://user:word@bread.example",
    "hxxp://bread[.]example/",
    "looking up bread.example",
    "bread.example.",
    "BREAD.EXAMPLE",
    "host=bread.example;port=80",
    "'rye.bread.example'",
    "sub_domain.bread.example",
    "xn--80ak6aa92e.example",
    f"{'a' * 56}.onion",
    "mail to ada@bread.example",
    "//bread.example/rye",
    "connected to [2001:db8::1]:80",
    "2001:db8:0:0:0:0:0:1",
    "fe80::1%eth0",
)
HOLES = (
    "peer 192.0.2.7",
    "127.0.0.1:8080",
    "198.51.100.23",
    "::1",
    "2001:db8::",
    "bread.example(80)",
    "www.bread.py",
    "forum.json.example",
    "desk.bread.example",
    "crawler.example",
    "dns.bread.example",
    "хлеб.рф",
)
HARMLESS = (
    "3 pages",
    "took 1.25s",
    "waited 0.5 s",
    "version 2.19.0",
    "Python 3.11.4",
    "12:30:05",
    "2026-11-23 05:10:11,123",
    "site s-9b61f61c: 12 pages, 4 evidence",
    "Spider opened (0 items/min)",
    "caselog.process is ready",
    "Using selector: EpollSelector",
    "leadline.toml is read",
    "page 7 is gone. Next is 8",
    "e.g. a loaf",
)


def passes(message: str, level: int, *arguments: object) -> bool:
    record = logging.LogRecord("foreign", level, "x.py", 1, message, arguments, None)
    return AddressFilter().filter(record)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("message", ADDRESSES)
def test_a_record_with_an_address_is_dropped(message: str, level: int) -> None:
    assert not passes(message, level)
    assert not passes("said %s of %d", level, message, 3)


@pytest.mark.parametrize("message", HOLES)
def test_a_record_with_an_address_of_a_rare_form_is_dropped(message: str) -> None:
    assert not passes(message, logging.INFO)


@pytest.mark.parametrize("message", HARMLESS)
def test_a_record_without_an_address_is_kept(message: str) -> None:
    assert passes(message, logging.INFO)


def test_a_record_that_cannot_be_read_is_dropped() -> None:
    assert not passes("%d pages", logging.INFO, "bread")
    assert not passes("%(loaf)s", logging.INFO, {"bread": 1})


LABEL = st.from_regex(r"[a-z][a-z0-9]{0,20}(-[a-z0-9]{1,10})?", fullmatch=True)
TOP = st.sampled_from(["example", "test", "invalid", "onion", "com", "org", "net", "info", "io", "club"])
OURS = {"scrapy", "twisted", "aiohttp", "sqlalchemy", "alembic", "asyncio", "crawler", "caselog", "enrich"}
OURS |= {"exports", "desk", "builtins", "dns", "stem", "urllib3", "py", "toml", "db", "json", "csv", "txt"}
HOST = st.builds(
    lambda labels, top: ".".join([*labels, top]),
    st.lists(LABEL.filter(lambda label: label not in OURS), min_size=1, max_size=4),
    TOP,
)
PLACES = ["%s", "at %s now", "<%s>", "'%s'", "(%s)", "[%s]", "host=%s", "%s, next"]
AROUND, AROUND_IP = st.sampled_from([*PLACES, "%s:80"]), st.sampled_from(PLACES)


@given(HOST, AROUND)
def test_any_host_name_is_dropped(host: str, around: str) -> None:
    assert holds_address(around % host)
    assert holds_address(around % host.upper())


@given(st.sampled_from(["http", "https", "ftp", "ws", "hxxp"]), st.text(max_size=40), AROUND)
def test_any_url_is_dropped(scheme: str, rest: str, around: str) -> None:
    assert holds_address(around % f"{scheme}://{rest}")


LONG_IP = st.integers(1, 2**96 - 1).map(lambda end: ipaddress.IPv6Address((0x20010DB8 << 96) | end | 1))


@given(LONG_IP, AROUND_IP)
def test_any_long_ip_address_is_dropped(address: object, around: str) -> None:
    assert holds_address(around % address)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.floats(0, 10**6))
def test_counts_and_times_are_kept(pages: int, site: int, seconds: float) -> None:
    assert not holds_address(f"site {site}: {pages} pages in {seconds:.3f}s")


# ---- the log of a process

LOGGING = """
import logging, sys, warnings
from caselog.process import start_logging
start_logging(getattr(logging, sys.argv[1]) if len(sys.argv) > 1 else {level})
for name in ("crawler.crawl.session", "scrapy.core.engine", "aiohttp.client"):
    for level in (10, 20, 30):
        logging.getLogger(name).log(level, "%s says 3 pages", name.partition(".")[0])
        logging.getLogger(name).log(level, "leak of http://bread.example/")
        logging.getLogger(name).log(level, "leak of %s", "rye.bread.example")
try:
    raise ValueError("leak of a page")
except ValueError:
    logging.getLogger("scrapy").exception("it broke")
warnings.warn("leak of http://bread.example/")
"""
STORY: dict[str, Callable[[str], int]] = {
    "INFO": lambda name: 2 if name == "crawler" else 1,
    "WARNING": lambda _: 1,
    "DEBUG": lambda _: 3,
}


@pytest.mark.parametrize("level", STORY)
def test_the_log_tells_the_story_and_no_address(level: str, tmp_path: Path) -> None:
    done = python(LOGGING.format(level=getattr(logging, level)), tmp_path)

    for name in ("crawler", "scrapy", "aiohttp"):
        assert done.stderr.count(f"{name} says 3 pages") == STORY[level](name)
    assert "it broke [ValueError]" in done.stderr
    assert "leak" not in done.stderr
    assert done.stdout == ""
