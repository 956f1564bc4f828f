"""The boundaries of Leadline, each end to end: these tests fail when somebody removes a safeguard.

What a layer does in detail is tested beside it: `test_crawler_transport`, `test_crawler_transport_addon` (no
spider or setting puts another download handler in), `test_crawler_admission`, `test_desk_reveal`,
`test_desk_access`, `test_caselog_process`, `test_no_leaks`.
"""

from __future__ import annotations

import ast
import io
import ipaddress
import re
import subprocess
import tokenize
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from caselog import schema
from caselog.errors import RefusedError, SourceError
from caselog.records.choices import Origin
from caselog.records.hosting import Hosting
from caselog.records.leads import Lead, Proposal
from caselog.records.pages import Check, Evidence, Page
from caselog.records.people import Reveal
from caselog.store.sites import site_for
from crawler.checks.watched import due_evidence
from crawler.crawl.opening import CrawlOptions
from crawler.crawl.session import open_session
from crawler.reading.address import host_key
from tests.caselog_samples import evidence, page
from tests.crawl_samples import (
    HTML,
    ROOT,
    TERM,
    Program,
    crawl,
    evidence_urls,
    html,
    outcomes,
    prose,
    records,
    work_at,
)
from tests.desk_calls import Desk, desk, password_of
from tests.leaks import Scanner
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.web import Reply

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\2\0\0\0" + bytes(range(256)) * 40
AUTHORITY = """
[authority]
organisation = "Bread Desk"
country = "NL"
contact = "desk@bread.example"
legal_basis = "practice of bread"
"""


# ---- 1: text only


@pytest.mark.parametrize("label", ["text/html", "text/plain", "text/html; charset=utf-8", ""])
def test_a_picture_that_calls_itself_text_is_not_recorded(tmp_path: Path, label: str) -> None:
    headers = {"Content-Type": label} if label else {}
    text = TERM.encode()
    with WebServer({"/": html("root", links=("/loaf",)), "/loaf": (200, headers, PNG + text)}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        crawl(work)

    assert outcomes(work)["/loaf"].startswith("refused")
    assert evidence_urls(work) == []


def test_what_a_page_embeds_is_never_asked_for(tmp_path: Path) -> None:
    embeds = (
        '<img src="/a.png" srcset="/b.png 2x"><video poster="/c.jpg" src="/d.mp4"><source src="/e.webm">'
        '</video><audio src="/f.mp3"></audio><embed src="/g.bin"><object data="/h.bin"></object>'
        '<link rel="icon" href="/i.ico"><iframe src="/j.mp4"></iframe><a href="/k.jpg">picture</a>'
        '<a href="/l.zip">file</a><script src="/m.js"></script><link rel="stylesheet" href="/n.css">'
        '<input type="image" src="/o.png"><a href="data:image/png;base64,AAAA">inline</a>'
    )
    with WebServer({"/": html("root", term=TERM, extra=embeds), "*": (404, HTML, b"")}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        crawl(work)
        work.run("checks", "run", "--all")

        # besides the page itself only one surely missing address is asked, as a control
        assert not set(server.paths) & {f"/{name}" for name in re.findall(r'"/([^" ]+)', embeds)}
        assert len([path for path in server.paths if path != "/"]) <= 1


# ---- 2: hashes only


def test_no_column_is_unbounded() -> None:
    """A column without a bound is one that a page fits into."""
    loose = [
        str(column)
        for table in schema.METADATA.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.Text | sa.JSON)
        or (isinstance(column.type, sa.String | sa.LargeBinary) and not column.type.length)
    ]
    plain = [
        str(column)
        for table in schema.METADATA.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.String) and (column.type.length or 0) > schema.ENTRY_LENGTH
    ]

    assert (loose, plain) == ([], [])


def test_the_database_itself_has_no_column_that_the_schema_lacks(tmp_path: Path) -> None:
    work = desk(tmp_path)
    workspace = work.open()
    with workspace.log.read() as reader:
        tables = sa.inspect(reader.connection)
        found = {
            f"{name}.{column['name']}"
            for name in tables.get_table_names()
            if name != "alembic_version"
            for column in tables.get_columns(name)
        }
    workspace.log.close()

    assert found == {str(column) for table in schema.METADATA.tables.values() for column in table.columns}


def test_the_words_of_a_page_are_in_no_file_and_no_output(tmp_path: Path) -> None:
    words = prose(("kept", 1)).split()
    with WebServer({"/": html("kept", term=TERM)}) as server:
        work = work_at(tmp_path / "run")
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        assert program.run("-vv", "crawl") == 0
        assert program.run("-vv", "checks", "run", "--all") == 0
    (work.folder.parent / "terms.csv").unlink()

    scanner = Scanner([*words, TERM])
    assert len(evidence_urls(work)) == 1
    assert scanner.files(tmp_path / "run") == []
    assert scanner.text("printed", b"".join(program.printed + program.warned)) == []


def test_a_reason_that_holds_an_address_is_refused(tmp_path: Path) -> None:
    work = work_at(tmp_path)
    work.add_leads("http://bread.example/", confirm=False)

    answer = work.run("leads", "confirm", "1", "--reason", "as seen at http://bread.example/rye")

    assert answer.code == 2
    assert "bread.example" not in answer.out + answer.err


# ---- 3: nothing shipped describes the offence

SHIPPED = {
    "caselog/migrations/script.py.mako",
    "crawler/data/README.md",
    "crawler/data/fold.tsv",
    "crawler/data/stoplist.txt",
    "enrich/data/never.toml",
    "enrich/data/providers.toml",
    "exports/templates/en.txt",
}
"""Every file in the packages that is no program. A new one is looked at by a person before it stands here."""
REFERENCE = {
    "enrich/data/never.toml",
    "enrich/data/providers.toml",
    "requirements.lock",
    "tests/test_safeguards.py",
}
"""Tables of well-known companies, registries and mailbox providers, and this file, which holds the samples of
what must not stand elsewhere; no address of a page is in them.
"""
WELL_KNOWN = {
    # documents that the texts name
    *("keepachangelog.com", "semver.org", "www.apache.org", "www.unicode.org", "www.w3.org", "asp.net"),
    # registries
    *("rdap.afrinic.net", "rdap.lacnic.net", "whois.arin.net", "whois.ripe.net"),
    # platforms, proxies and suffixes that are told apart by their names
    *("github.io", "baker.github.io", "fastly.net", "cloudfront.net", "b-cdn.net"),
    *("co.uk", "bread.co.uk", "shop.bread.co.uk"),
}
TOP_LEVELS = (
    "com|org|net|info|io|biz|onion|ru|su|de|nl|uk|eu|fr|us|cn|to|cc|me|tv|club|xyz|site|online|app|dev|gov|edu|"
    "int|at|ch|be|se|pl|ca|au|jp|br|in|ws|pw|top|live|link|cloud|arpa"
)
HOST = re.compile(rf"(?<![\w.@-])((?:[a-z0-9][a-z0-9-]*\.)+(?:{TOP_LEVELS}))(?![\w(-]|\.\w)", re.IGNORECASE)
RESERVED = (".example", ".test", ".invalid", ".localhost", "localhost")
NETWORKS = [
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "10.0.0.0/8")
]


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    return [name for name in listed.stdout.splitlines() if (Path(ROOT) / name).is_file()]


def texts_of(name: str) -> Iterator[str]:
    """Give the text of a file; of a program the strings and comments only, as `row.at` is no host."""
    text = (Path(ROOT) / name).read_text(encoding="utf-8", errors="replace")
    if not name.endswith(".py"):
        yield text
        return
    ast.parse(text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if tokenize.tok_name[token.type] in {"STRING", "COMMENT", "FSTRING_MIDDLE"}:
            yield token.string


def is_allowed(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name in WELL_KNOWN or name.endswith(RESERVED):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        # a real onion address has 16 or 56 letters
        return name.endswith(".onion") and len(name.split(".")[-2]) not in {16, 56}
    return any(address in network for network in NETWORKS if network.version == address.version)


def test_the_packages_ship_no_file_that_nobody_looked_at() -> None:
    packages = ("caselog/", "crawler/", "enrich/", "exports/", "desk/")
    found = {name for name in tracked() if name.startswith(packages) and not name.endswith(".py")}

    assert found - SHIPPED == set()


def test_what_is_packed_is_named_one_by_one() -> None:
    """Nothing but these folders' files goes into the wheel beside the programs."""
    settings = tomllib.loads((Path(ROOT) / "pyproject.toml").read_text(encoding="utf-8"))
    packed = settings["tool"]["setuptools"]["package-data"]

    assert {f"{package}/{pattern}" for package, patterns in packed.items() for pattern in patterns} == {
        "caselog/migrations/*.mako",
        "crawler/data/*",
        "enrich/data/*",
        "exports/templates/*",
        "desk/practice/pages/*",
    }


def test_no_file_names_a_host_outside_the_reserved_names() -> None:
    found = {
        (name, host)
        for name in tracked()
        if name not in REFERENCE
        for text in texts_of(name)
        for host in HOST.findall(text)
        if not is_allowed(host)
    }

    assert found - PLACEHOLDERS == set()


PLACEHOLDERS = {
    ("tests/test_crawler_resolver.py", "a2345672a2345672.onion"),
    ("benchmarks/crawl.py", "benchmarks.site"),
    ("benchmarks/site.py", "benchmarks.site"),
    ("enrich/ranges.py", "xefMaxMind.com"),
}
"""What looks like a host and is none: counted letters, a module, the mark of a file format."""


@pytest.mark.parametrize("text", ["see http://bread.com/", "bread.onion.to", "a loaf at rye-bread.ru, new"])
def test_the_look_for_hosts_sees_one(text: str) -> None:
    assert [host for host in HOST.findall(text) if not is_allowed(host)] != []


def test_a_fresh_workspace_knows_no_terms_and_no_leads(tmp_path: Path) -> None:
    work = desk(tmp_path)

    assert work.run("terms", "list").rows == []
    assert work.run("leads", "list").rows == []


# ---- 4: confirmed first


def test_an_unconfirmed_lead_is_never_contacted(tmp_path: Path) -> None:
    with WebServer({"*": html("root", term=TERM)}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"), confirm=False)
        crawl(work)
        assert crawl(work, "--lead", "1", code=3)["kind"] == "refused"
        work.run("checks", "run", "--all")

        assert server.paths == []


@pytest.mark.parametrize("outcome", ["not_illegal", "gone", "out_of_remit"])
def test_a_rejected_lead_is_never_contacted(tmp_path: Path, outcome: str) -> None:
    with WebServer({"*": html("root", term=TERM)}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"), confirm=False)
        assert work.run("leads", "reject", "1", "--outcome", outcome, "--reason", "seen").code == 0
        crawl(work)

        assert server.paths == []


def test_what_the_crawl_discovers_is_a_proposal_and_not_contacted(tmp_path: Path) -> None:
    with WebServer({"*": html("copy", term=TERM)}) as other:
        link = (other.url("/copy"),)
        with WebServer({"/": html("root", term=TERM, links=link), "*": (404, HTML, b"")}) as server:
            work = work_at(tmp_path)
            work.add_leads(server.url("/"))
            for _ in range(2):
                crawl(work)
            work.run("checks", "run", "--all")

        assert len(records(work, Proposal)) == 1
        assert other.paths == []


def test_an_excluded_host_is_not_contacted_by_any_command(tmp_path: Path) -> None:
    with WebServer({"/": html("root", term=TERM), "*": (404, HTML, b"")}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        crawl(work)
        asked = len(server.paths)
        work.run("exclude", "add", "127.0.0.1")
        for command in (("crawl",), ("checks", "run", "--all")):
            assert work.run(*command).code == 0

        assert asked > 0
        assert len(server.paths) == asked


# ---- 5: an outsider's eye

NEUTRAL = {"host", "user-agent", "accept", "accept-encoding", "accept-language", "connection"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Give all requests of a crawl and a round of checks of a site that tempts."""
    forms = (
        '<form method="post" action="/reply"><textarea name="t"></textarea><button>Send</button></form>'
        '<form method="get" action="/search"><input name="q"></form>'
        '<a href="/logout">Log out</a><a href="/thread/1/mark-read">Mark read</a>'
        '<a href="/like?post=4">Like</a><a href="/register">Register</a><a href="/delete?post=4">Delete</a>'
        '<meta http-equiv="refresh" content="0;url=/refreshed">'
    )
    cookie = {**HTML, "Set-Cookie": "loaf=1; Path=/"}
    routes: dict[str, Reply] = {
        "/": (200, cookie, html("root", links=("/t/1",), extra=forms)[2]),
        "/t/1": (200, cookie, html("thread", term=TERM)[2]),
        "*": (404, cookie, b""),
    }
    with WebServer(routes) as server:
        work = work_at(tmp_path_factory.mktemp("asked"))
        work.add_leads(server.url("/"))
        crawl(work)
        work.run("checks", "run", "--all")
        return server.requests


def test_only_get_goes_out_and_nothing_is_sent(asked: list[Any]) -> None:
    assert len(asked) >= 4
    assert {(request.method, request.body) for request in asked} == {("GET", b"")}


def test_requests_carry_neither_cookie_nor_referrer_nor_anything_of_ours(asked: list[Any]) -> None:
    assert {name for request in asked for name in request.headers} <= NEUTRAL


def test_the_user_agent_names_neither_us_nor_a_browser(asked: list[Any]) -> None:
    (agent,) = {request.headers["user-agent"] for request in asked}

    assert not re.search(
        r"leadline|scrapy|python|aiohttp|hotline|bot|firefox|chrome|safari|gecko|applewebkit", agent.lower()
    )


def test_links_that_change_something_are_not_followed(asked: list[Any]) -> None:
    tempting = re.compile(r"logout|mark-read|like|register|delete|reply|search")

    assert [request.path for request in asked if tempting.search(request.path)] == []


# ---- 6: addresses are dangerous


def test_addresses_are_encrypted_at_rest(tmp_path: Path) -> None:
    work = work_at(tmp_path)
    (work.folder.parent / "terms.csv").unlink()
    work.add_leads("http://sourdough.bread.example/loaf/number/one")

    assert Scanner(["sourdough.bread.example", "/loaf/number/one", TERM]).files(work.folder) == []
    assert (work.folder / "keys.json").stat().st_mode & 0o077 == 0
    assert (work.folder / "casebook.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command", ["leads", "pages", "evidence", "checks"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_lists_show_addresses_defanged(tmp_path: Path, command: str, options: tuple[str, ...]) -> None:
    with WebServer({"/": html("root", term=TERM), "*": (404, HTML, b"")}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        crawl(work)
        work.run("checks", "run", "--all")
        answer = work.run(command, "list", options=options)

    assert answer.code == 0
    assert "127[.]0[.]0[.]1" in answer.out
    assert not re.search(r"https?://|127\.0\.0\.1:\d", answer.out)


def test_a_reveal_is_recorded_with_its_reason(tmp_path: Path) -> None:
    work = work_at(tmp_path)
    work.add_leads("http://bread.example/loaf")
    answer = work.run("leads", "list", "--reveal", "--reason", "second look", "1")

    (reveal,) = records(work, Reveal)
    assert "http://bread.example/loaf" in answer.out
    assert (reveal.revealed_by, reveal.reason) == ("ada", "second look")


def test_a_live_reveal_needs_a_login(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    work.add_leads("http://bread.example/loaf", confirm=False)
    answer = work.run("leads", "list", "--reveal", "--reason", "second look", "1", stdin="wrong\n")

    assert answer.code == 3
    assert "bread.example" not in answer.out
    assert records(work, Reveal) == []


# ---- 7: two people


@pytest.mark.parametrize("drafter", ["ben", "cai"])
def test_whoever_drafted_a_notice_cannot_release_it(tmp_path: Path, drafter: str) -> None:
    work = noticed(tmp_path, drafter)

    answer = work.run("notices", "release", "1", user=drafter)
    every = work.run("notices", "release", "--all", user=drafter)

    assert (answer.code, every.code) == (3, 3)
    assert work.run("notices", "list").rows[0]["state"] != "released"


def test_another_person_can_release_a_notice(tmp_path: Path) -> None:
    """Else the refusals above would prove nothing."""
    work = noticed(tmp_path, "ben")

    assert work.run("notices", "release", "1", user="cai").code == 0
    assert work.run("notices", "list").rows[0]["state"] == "released"


def noticed(tmp_path: Path, drafter: str) -> Desk:
    """Give a workspace with one drafted notice that nothing but its release holds back."""
    work = desk(tmp_path)
    work.add_leads("http://bread.example/sourdough")
    row = {
        "address": "abuse@oven.test",
        "guessed": False,
        "role": "abuse",
        "source": "ip",
        "rank": 1,
        "why": "x",
    }
    workspace = work.open()
    with workspace.log.write() as writer:
        (lead,) = writer.find(Lead)
        writer.append(evidence(writer.append(page(lead, url=lead.url))))
        writer.append(
            Hosting(
                host=lead.host,
                lead_id=lead.id,
                mode="registries",
                addresses=("203.0.113.7",),
                holder="Oven Host",
                contacts=(row,),
                resolved_at=datetime.now(UTC),
            )
        )
    workspace.log.close()
    assert work.run("contacts", "approve", "abuse@oven.test", "--reason", "looked up").code == 0
    assert work.run("notices", "draft", user=drafter).code == 0
    return work


# ---- 8: authority first


def test_a_live_workspace_without_its_authority_makes_no_request(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    for command in (("crawl",), ("enrich",)):
        answer = work.run(*command)
        assert (command, answer.code) == (command, 3)
        assert "authority" in answer.out


@pytest.mark.parametrize("missing", ["organisation", "country", "contact", "legal_basis"])
def test_each_part_of_the_authority_is_needed(tmp_path: Path, missing: str) -> None:
    work = desk(tmp_path, live=True)
    text = re.sub(rf'{missing} = ".*"', f'{missing} = ""', AUTHORITY)
    (work.folder / "leadline.toml").write_text(text, encoding="utf-8")
    workspace = work.open()
    with pytest.raises(RefusedError) as refusal:
        open_session(workspace, CrawlOptions())
    workspace.log.close()

    assert refusal.value.code == "authority"


# ---- 9: practice and live never meet


def test_a_live_workspace_sends_nothing_to_loopback(tmp_path: Path) -> None:
    """The lead is written past the intake, which would refuse it."""
    with WebServer({"*": html("root", term=TERM)}) as server:
        work = desk(tmp_path, live=True)
        (work.folder / "leadline.toml").write_text(
            f"{AUTHORITY}\n[crawl]\ndelay_seconds = 0.01\n", encoding="utf-8"
        )
        write_lead(work, server.url("/"))
        confirm = work.run("leads", "confirm", "1", "--reason", "seen", stdin=password_of("ada") + "\n")
        crawl(work)

    assert confirm.code == 0
    assert outcomes(work) == {"/": "refused private_address"}
    assert server.paths == []


def test_a_live_workspace_takes_no_lead_on_loopback_in(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)

    assert work.add_leads("http://127.0.0.1:8080/", confirm=False).code == 1
    assert records(work, Lead) == []


@pytest.mark.parametrize("address", ["192.0.2.80", "198.51.100.1", "10.0.0.1", "169.254.169.254"])
def test_a_practice_workspace_sends_nothing_off_loopback(tmp_path: Path, address: str) -> None:
    work = work_at(tmp_path)
    write_lead(work, f"http://{address}/")
    work.run("leads", "confirm", "1", "--reason", "seen")
    crawl(work)

    (seen,) = records(work, Page)
    assert (seen.refused, seen.peer_ip, seen.connections) == ("private_address", None, None)


def write_lead(work: Desk, url: str) -> None:
    workspace = work.open()
    with workspace.log.write() as writer:
        host = host_key(url)
        lead = Lead(
            url=url,
            host=host,
            site_id=site_for(writer, host),
            origin=Origin.REPORTED,
            added_by="ada",
            added_at=datetime.now(UTC),
        )
        writer.append(lead)
    workspace.log.close()


STATEMENTS = (
    "UPDATE meta SET value = 'practice' WHERE key = 'mode'",
    "UPDATE meta SET key = 'other' WHERE key = 'mode'",
    "DELETE FROM meta WHERE key = 'mode'",
    "INSERT OR REPLACE INTO meta VALUES ('mode', 'practice')",
    "UPDATE OR REPLACE meta SET key = 'mode', value = 'practice' WHERE key != 'mode'",
)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_mark_of_a_workspace_cannot_be_changed(tmp_path: Path, statement: str) -> None:
    work = desk(tmp_path, live=True)
    workspace = work.open()
    with workspace.log.write() as writer:
        writer.set_fact("loaf", "rye")
    with pytest.raises(SourceError, match="append-only"), workspace.log.write() as writer:
        writer.connection.exec_driver_sql(statement)
    with pytest.raises(RefusedError, match="mark"), workspace.log.write() as writer:
        writer.set_fact("mode", "practice")
    workspace.log.close()

    assert is_practice(work) is False


def is_practice(work: Desk) -> bool:
    workspace = work.open()
    workspace.log.close()
    return workspace.practice


def test_no_setting_makes_a_live_workspace_one_for_practice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_PRACTICE", "1")
    with WebServer({"*": html("root", term=TERM)}) as server:
        work = desk(tmp_path, live=True)
        (work.folder / "leadline.toml").write_text(
            f"{AUTHORITY}\n[crawl]\ndelay_seconds = 0.01\n", encoding="utf-8"
        )
        write_lead(work, server.url("/"))
        work.run("leads", "confirm", "1", "--reason", "seen", stdin=password_of("ada") + "\n")
        work.run("crawl")

    assert server.paths == []


def test_a_practice_notice_says_that_it_is_practice(tmp_path: Path) -> None:
    work = noticed(tmp_path, "ben")

    assert "practice" in work.run("notices", "show", "1").out.lower()


def test_nothing_is_watched_that_no_person_confirmed(tmp_path: Path) -> None:
    """Evidence of a lead that was closed afterwards is not looked at again."""
    with WebServer({"/": html("root", term=TERM), "*": (404, HTML, b"")}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        crawl(work)
        work.run("leads", "close", "1", "--reason", "removed")
        workspace = work.open()
        due = due_evidence(workspace, datetime.now(UTC), everything=True)
        workspace.log.close()

    assert len(records(work, Evidence)) == 1
    assert (due, records(work, Check)) == ([], [])
