"""Set-up that tests of the running crawl share: sites of made-up prose, a workspace with rules and leads."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caselog.errors import CaseError, RefusedError
from caselog.records.pages import Evidence, Page
from crawler.crawl.opening import CrawlOptions
from crawler.crawl.session import open_session
from crawler.run import run_spider
from crawler.spiders.leads import LeadsSpider
from desk.call import seal
from tests.desk_calls import Desk, desk
from tests.warm import WarmProgram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from crawler.crawl.session import CrawlSession
    from tests.servers.web import Reply
    from tests.warm import Child

TERM = "desemstarter"
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HTML = {"Content-Type": "text/html; charset=utf-8"}
WAIT_S = 60.0


def prose(seed: object, *, words: int = 60, term: str = "") -> str:
    """Give made-up words that no other seed gives, with the term in their middle."""
    chance = random.Random(f"prose {seed}")
    made = ["".join(chance.choices(SYLLABLES, k=4)) for _ in range(words)]
    if term:
        made[words // 2] = term
    return " ".join(made)


def html(
    seed: object, *, links: tuple[str, ...] = (), term: str = "", extra: str = "", words: int = 60
) -> Reply:
    """Give a page of two paragraphs and some links."""
    first, second = prose((seed, 1), words=words), prose((seed, 2), words=words, term=term)
    anchors = "".join(f'<li><a href="{link}">{prose((seed, link), words=2)}</a></li>' for link in links)
    text = (
        f"<!doctype html><html><head><title>{prose((seed, 'title'), words=3)}</title></head>"
        f"<body><p>{first}</p><p>{second}</p><ul>{anchors}</ul>{extra}</body></html>"
    )
    return 200, HTML, text.encode()


def redirect(target: str, status: int = 302) -> Reply:
    return status, {"Location": target}, b""


def work_at(tmp_path: Path, *, resolver: str = "", live: bool = False, **crawl: Any) -> Desk:
    """Give a workspace of four people with one rule; `crawl` are settings of that section."""
    made = desk(tmp_path, live=live)
    values = {"delay_seconds": 0.002, "per_host": 4, **crawl}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    network = ["[network]", f"resolver = {json.dumps([resolver])}"] if resolver else []
    settings = made.folder / "leadline.toml"
    settings.write_text(
        "\n".join([settings.read_text(encoding="utf-8"), *network, "[crawl]", *lines, ""]), encoding="utf-8"
    )
    add_terms(made, TERM)
    return made


def add_terms(work: Desk, *terms: str) -> None:
    rows = "".join(f"t{number},{term},1.0,word\n" for number, term in enumerate(terms, 1))
    path = work.folder.parent / "terms.csv"
    path.write_text("id,term,weight,kind\n" + rows, encoding="utf-8")
    assert work.run("terms", "import", str(path)).code == 0


def crawl(work: Desk, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Crawl in this process, without jobs and slices, and give the summary or the error.

    It takes what the command takes; the command itself costs a second more, and is tested elsewhere.
    """
    names = {"--lead": "lead_ids", "--pages": "pages", "--seconds": "seconds"}
    chosen: dict[str, Any] = {"lead_ids": ()}
    for flag, value in zip(arguments[::2], arguments[1::2], strict=True):
        number = float(value) if flag == "--seconds" else int(value)
        chosen[names[flag]] = (*chosen["lead_ids"], number) if flag == "--lead" else number
    workspace = work.open()
    try:
        status, summary = 0, run_crawl(open_session(workspace, CrawlOptions(**chosen)))
        seal(workspace)
    except CaseError as error:
        status, summary = (
            error.exit_status,
            {"kind": error.kind, "message": error.message, "hint": error.hint},
        )
    finally:
        workspace.log.close()
    assert status == code, summary
    return summary


def run_crawl(session: CrawlSession) -> dict[str, float]:
    """Follow the session's leads until nothing is left or its budget is spent; give the summary."""
    reason = "finished"
    if session.budgets:
        reason = run_spider(LeadsSpider, session.workspace.folder, session=session)
    if reason not in {"finished", "shutdown"}:
        raise RefusedError(f"The crawl was stopped: {reason}.", code=reason)
    return session.summary()


def records(work: Desk, kind: type[Any]) -> list[Any]:
    workspace = work.open()
    try:
        with workspace.log.read() as reader:
            return list(reader.find(kind))
    finally:
        workspace.log.close()


def page_rows(work: Desk) -> list[Page]:
    return records(work, Page)


def outcomes(work: Desk) -> dict[str, str]:
    """Give path -> outcome, with the refusal or error code where there is one."""
    found = {}
    for page in page_rows(work):
        code = page.refused or page.error
        found["/" + page.url.split("/", 3)[3]] = page.outcome.value + (f" {code}" if code else "")
    return found


def evidence_urls(work: Desk) -> list[str]:
    urls = {page.id: page.url for page in page_rows(work)}
    return [urls[item.page_id] for item in records(work, Evidence)]


def age_pages(work: Desk, to: datetime) -> None:
    """Give every page another time, as if the crawl had been then."""
    workspace = work.open()
    with workspace.log.write() as writer:
        run = writer.connection.exec_driver_sql
        triggers = run("SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name='pages'").all()
        for name, _ in triggers:
            run(f"DROP TRIGGER {name}")
        run("UPDATE pages SET fetched_at = ?", (to.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),))
        for _, sql in triggers:
            run(sql)
    workspace.log.close()


@dataclass(kw_only=True)
class Program:
    """`leadline` as a program of its own, with a HOME and TMPDIR that nobody else uses."""

    work: Desk
    folder: Path
    warm: WarmProgram | None = None
    printed: list[bytes] = field(default_factory=list)
    warned: list[bytes] = field(default_factory=list)

    @contextmanager
    def warmed(self) -> Iterator[Program]:
        """Start commands from a process that has the modules loaded, for tests that start many."""
        with WarmProgram(self.environment("ada"), self.folder) as self.warm:
            yield self
        self.warm = None

    def environment(self, user: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEADLINE_")}
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        places = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        ours = {"LEADLINE_WORKSPACE": str(self.work.folder), "LEADLINE_USER": user, "PYTHONPATH": ROOT}
        return {**kept, **places, **ours, "NO_COLOR": "1", "COLUMNS": "200"}

    def start(self, *arguments: str, user: str = "ada") -> subprocess.Popen[bytes] | Child:
        if self.warm:
            return self.warm.start(*arguments, environment=self.environment(user))
        return subprocess.Popen(
            [sys.executable, "-m", "desk.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(user),
            cwd=self.folder,
        )

    def run(self, *arguments: str, user: str = "ada") -> int:
        with running(self.start(*arguments, user=user)) as child:
            out, err = child.communicate(timeout=WAIT_S)
        self.printed.append(out)
        self.warned.append(err)
        return child.wait()


@contextmanager
def running(child: subprocess.Popen[bytes] | Child) -> Iterator[subprocess.Popen[bytes] | Child]:
    """End a child that a test started, however the test goes."""
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
        child.communicate()


def wait_until(is_so: Callable[[], bool], within_s: float = WAIT_S) -> None:
    end_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.005)


def tree(count: int, *, width: int = 7, terms: Mapping[int, str] | None = None) -> dict[str, Reply]:
    """Give `count` pages, each linking to its own next ones, with a term on some."""
    terms = terms or {}
    routes = {}
    for number in range(count):
        children = range(number * width + 1, min(count, number * width + width + 1))
        path = "/" if number == 0 else f"/loaf/{number}"
        links = tuple(f"/loaf/{child}" for child in children)
        routes[path] = html(("tree", number), links=links, term=terms.get(number, ""))
    return routes
