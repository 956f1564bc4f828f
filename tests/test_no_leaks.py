"""Nothing that a page says, and no address, is left in any file or in what the program prints.

First the scanner proves itself; then the whole chain runs on the practice web, with all logging on.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import shutil
import sqlite3
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest

from caselog.records.pages import Page
from desk.practice.demo import SETTINGS
from desk.practice.servers import PracticeWeb
from tests.crawl_samples import Program, html, prose, records, work_at
from tests.desk_calls import PEOPLE, Desk
from tests.leaks import Scanner, cells
from tests.servers.dns import DnsServer
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


WORD, TITLE = "dikomavu", "fold the levain, part 3"
TEXT = f"Bench note {WORD}-0412. {TITLE}. " * 3
RAW = TEXT.encode()
NOISE = random.Random(5).randbytes(50)
DRESSED = {
    "raw": RAW,
    "upper case": RAW.upper(),
    "utf-16, little end first": TEXT.encode("utf-16-le"),
    "utf-16, big end first": b"\xff" + TEXT.encode("utf-16-be"),
    "hex": RAW.hex().encode(),
    "hex in capitals": b"x" + RAW.hex().upper().encode(),
    "hex at an odd place": b"a" + RAW.hex().encode(),
    "base64": base64.b64encode(RAW),
    "base64, one byte on": base64.b64encode(b"a" + RAW),
    "base64, two bytes on": base64.b64encode(b"ab" + RAW),
    "base64 within a word": b"x" + base64.b64encode(RAW),
    "base64 in lines": base64.encodebytes(RAW * 4),
    "base64 for URLs": base64.urlsafe_b64encode(b"\xfb\xff\xfe" + RAW),
    "base64 of utf-16": base64.b64encode(TEXT.encode("utf-16-le")),
    "percent code": quote(TEXT, safe="").encode(),
    "gzip": NOISE + gzip.compress(RAW),
    "zlib": NOISE + zlib.compress(RAW),
    "gzip in base64 in gzip": gzip.compress(base64.b64encode(RAW)),
}


@pytest.mark.parametrize("dress", DRESSED)
def test_the_scanner_sees_a_word_in_every_dress(dress: str) -> None:
    found = {leak.word for leak in Scanner([WORD, TITLE]).text("x", DRESSED[dress])}

    assert found == {WORD, TITLE}


def test_the_scanner_sees_what_stands_in_a_database_and_in_its_log(tmp_path: Path) -> None:
    """A long value is broken over pages of the file, and the newest rows stand in the WAL alone."""
    log = sqlite3.connect(tmp_path / "d.db", isolation_level=None)
    log.execute("PRAGMA journal_mode=WAL")
    log.execute("CREATE TABLE t(a TEXT)")
    log.execute("INSERT INTO t VALUES(?)", ("z" * 4093 + TEXT + "z" * 9000,))

    found = {leak.word for leak in Scanner([WORD, TITLE]).files(tmp_path)}
    log.close()

    assert found == {WORD, TITLE}


def test_the_scanner_sees_nothing_in_noise(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(random.Random(6).randbytes(4 << 20))

    assert Scanner([WORD, TITLE]).files(tmp_path) == []


def test_the_scanner_sees_names_of_files(tmp_path: Path) -> None:
    (tmp_path / f"{WORD}.txt").touch()

    assert [leak.file for leak in Scanner([WORD]).files(tmp_path)] == ["file names"]


# ---- the chain


@dataclass(kw_only=True)
class Chain:
    """What the chain left behind, and what to look for in it."""

    work: Desk
    program: Program
    said: set[str]
    """Words, titles and terms of the pages that were served."""
    addresses: set[str]
    statuses: dict[str, int] = field(default_factory=dict)

    def run(self, *words: str, user: str = "ada") -> None:
        self.statuses[" ".join(words[:2])] = self.program.run("-vv", *words, user=user)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("chain")
    # the operator's own files lie apart: they are input, and are not looked through
    given = folder / "given"
    given.mkdir()
    with PracticeWeb(given / "web") as web:
        work = Desk(folder=folder / "run" / "workspace")
        work.folder.mkdir(parents=True)
        write_settings(work, web)
        (given / "terms.csv").write_text(web.terms_csv(), encoding="utf-8")
        leads = "".join(f"{url},R{at},A1\n" for at, url in enumerate(web.addresses.values()))
        (given / "leads.csv").write_text("url,report,classification\n" + leads, encoding="utf-8")
        made = Chain(
            work=work,
            program=Program(work=work, folder=folder / "run"),
            said=words_of(web),
            addresses=set(),
        )
        with made.program.warmed():
            run_chain(made, web, given)
        made.addresses = addresses_of(work)
        yield made


def write_settings(work: Desk, web: PracticeWeb) -> None:
    settings = SETTINGS.format(
        resolver=json.dumps([web.nameserver]),
        country=json.dumps([str(path) for path in web.country_files]),
        asn=json.dumps(str(web.asn_file)),
        bootstrap=json.dumps(str(web.bootstrap_folder)),
    )
    (work.folder / "leadline.toml").write_text(settings, encoding="utf-8")


def run_chain(chain: Chain, web: PracticeWeb, given: Path) -> None:
    chain.run("init", "--practice", user="cai")
    for name, role in PEOPLE.items():
        chain.run("users", "add", name, "--role", role, user="cai")
    chain.run("terms", "import", str(given / "terms.csv"))
    chain.run("leads", "add", str(given / "leads.csv"), "--confirm")
    chain.run("crawl")
    chain.run("checks", "run", "--all")
    web.remove("thread-3")
    web.unname("mirror.crust.example")
    chain.run("checks", "run", "--all")
    chain.run("enrich")
    chain.run("evidence", "confirm", "--all", "--reason", "read by two people")
    chain.run("notices", "draft")
    chain.run("notices", "release", "--all", user="ben")
    chain.run("notices", "export", "--to", str(given / "letters"), user="ben")
    chain.run("exclude", "add", "help.crumb.example", "--reason", "a support service")
    for name in ("leads", "pages", "evidence", "checks", "hosting", "notices", "terms", "cases"):
        chain.run(name, "list")
    chain.run("ledger", "verify")
    chain.run("doctor")
    # an operator's mistakes are where programs quote what they were given
    chain.run("leads", "confirm", "9999", "--reason", "none such")
    chain.run("leads", "add", str(given / "none.csv"))


def words_of(web: PracticeWeb) -> set[str]:
    """Give what the practice pages say: all titles, all terms, and runs of words of every post."""
    said = {line.split(",")[1].strip().lower() for line in web.terms_csv().splitlines()[1:]}
    for thread in web._library.threads:
        said.add(thread.title.lower())
        for post in thread.posts:
            words = post.text.lower().split()
            said |= {" ".join(words[at : at + 4]) for at in range(0, len(words) - 4, 9)}
    return {phrase for phrase in said if len(phrase) >= 8}


def addresses_of(work: Desk) -> set[str]:
    """Give the names, long paths and URLs that the crawl met."""
    found = {"forum.crumb.example", "mirror.crust.example", "paste.starter.example", "www.loaf.example"}
    found.add("help.crumb.example")
    for page in records(work, Page):
        parts = urlsplit(page.url)
        found.add(page.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if len(path) >= 12:
            found.add(path)
    return found


@pytest.mark.slow
def test_the_chain_ran_to_its_end(chain: Chain) -> None:
    """What follows would be worth nothing if the chain had not met the pages."""
    failed = {name: status for name, status in chain.statuses.items() if status not in (0, 1)}

    assert failed == {"leads add": 2}
    assert len(records(chain.work, Page)) > 60
    assert len(chain.said) > 300
    assert len(chain.addresses) > 60
    assert (chain.work.folder.parent.parent / "given" / "letters").is_dir()


@pytest.mark.slow
def test_no_file_holds_what_a_page_says(chain: Chain) -> None:
    assert Scanner(chain.said).files(chain.program.folder) == []


@pytest.mark.slow
def test_no_file_holds_an_address(chain: Chain) -> None:
    assert Scanner(chain.addresses).files(chain.program.folder) == []


@pytest.mark.slow
def test_nothing_printed_holds_what_a_page_says(chain: Chain) -> None:
    printed = b"\n".join(chain.program.printed + chain.program.warned)

    assert Scanner(chain.said).text("printed", printed) == []


@pytest.mark.slow
def test_nothing_printed_holds_an_exact_address(chain: Chain) -> None:
    """On screen a host stands defanged, `forum[.]crumb[.]example`; a path alone is no address."""
    exact = {one for one in chain.addresses if not one.startswith("/")}

    assert Scanner(exact).text("printed", b"\n".join(chain.program.printed)) == []


@pytest.mark.slow
def test_standard_error_holds_no_address_at_all(chain: Chain) -> None:
    warned = b"\n".join(chain.program.warned)
    text = warned.decode()

    assert "DEBUG" in text or "INFO" in text
    assert Scanner(chain.addresses).text("standard error", warned) == []
    assert re.findall(r"\w+\[\.\]\w+|https?://\S+|hxxps?://\S+|127\.0\.0\.\d+", text) == []


# ---- pages of another make: words that stand nowhere else, under names that stand nowhere else


def test_made_up_words_of_every_kind_of_answer_are_left_nowhere(tmp_path: Path) -> None:
    """Text, title, links, error pages, headers, cookies, redirects, and pages that are refused."""
    canaries = [f"kanari{prose(('canary', number), words=2).replace(' ', '')}" for number in range(12)]
    host = "kanarihost.bread.example"
    with DnsServer({host: ["A 127.0.0.1"]}) as names, WebServer() as server:
        root = f"http://{host}:{server.port}"
        headers = {"Content-Type": "text/html", "X-Bread": canaries[0], "Set-Cookie": f"rye={canaries[1]}"}
        page = f"<title>{canaries[2]}</title><p>{prose(1, term='desemstarter')}</p><p>{canaries[3]}</p>"
        links = "".join(
            f'<a href="/{path}" title="{canaries[4]}">{canaries[5]}</a>'
            for path in ("gone", "moved", "noise", f"bread/{canaries[6]}", "error")
        )
        server.routes = {
            "/": (200, headers, (page + links).encode()),
            "/gone": (404, headers, f"<p>{canaries[7]}</p>".encode()),
            "/moved": (302, {"Location": f"http://elsewhere.test/{canaries[8]}"}, b""),
            "/noise": (200, {"Content-Type": "text/html"}, canaries[9].encode() + bytes(range(256)) * 99),
            f"/bread/{canaries[6]}": html("bread", term="desemstarter", extra=f"<p>{canaries[10]}</p>"),
            "/error": (403, {"Content-Type": "text/html"}, canaries[11].encode()),
        }
        work = work_at(tmp_path / "run", resolver=names.address)
        (work.folder.parent / "terms.csv").unlink()
        leads = tmp_path / "leads.csv"
        leads.write_text(f"url,report\n{root}/,R1\n", encoding="utf-8")
        program = Program(work=work, folder=tmp_path / "run")
        ran = [
            program.run("-vv", "leads", "add", str(leads), "--confirm"),
            program.run("-vv", "crawl"),
            program.run("-vv", "checks", "run", "--all"),
        ]

    scanner = Scanner([*canaries, host, "elsewhere.test", "desemstarter"])
    printed = b"\n".join(program.printed + program.warned)
    assert ran == [0, 0, 0]
    assert {"text", "gone", "refused", "wall"} <= {page.outcome.value for page in records(work, Page)}
    assert scanner.files(tmp_path / "run") == []
    assert scanner.text("printed", printed) == []


@pytest.mark.slow
def test_the_look_for_leaks_would_see_a_column_with_text(chain: Chain, tmp_path: Path) -> None:
    """Proof that the clean findings above are no blindness: one sentence in a copy is found."""
    copy = tmp_path / "casebook.db"
    shutil.copyfile(chain.work.folder / "casebook.db", copy)
    word = min(chain.said)
    log = sqlite3.connect(copy)
    log.execute("INSERT INTO meta VALUES ('bread', ?)", (word,))
    log.commit()
    log.close()

    found = Scanner(chain.said).files(tmp_path)

    assert word in {leak.word for leak in found}
    assert cells(copy)
