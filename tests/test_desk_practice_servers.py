"""The practice web on loopback: HTTP, DNS, RDAP, removal at run time, counters."""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import socket
import subprocess
import sys
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from desk.practice.answer import Ask, Style
from desk.practice.names import NameServer, practice_zone, reply_to
from desk.practice.registry import NETWORKS, answer, find_network
from desk.practice.servers import HOSTS, PracticeWeb, obey
from desk.practice.wire import usable_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS_AT_ONE = {"forum": "127.0.0.2", "mirror": "127.0.0.130", "paste": "127.0.0.194"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeWeb]:
    """Give a practice web that tests only read."""
    with PracticeWeb(tmp_path_factory.mktemp("practice")) as started:
        yield started


@pytest.fixture
def own_web(tmp_path: Path) -> Iterator[PracticeWeb]:
    with PracticeWeb(tmp_path / "practice") as started:
        yield started


def fetch(web: PracticeWeb, url: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Ask the right loopback address with the right Host, as a crawler with our resolver would."""
    parts = urlsplit(url)
    site = next(name for name, host in HOSTS.items() if host == parts.hostname)
    connection = HTTPConnection(web.hosts[site], web.port, timeout=5)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, headers={"Host": parts.netloc})
        response: HTTPResponse = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def resolve(nameserver: str, name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
    host, _, port = nameserver.partition(":")
    question = dns.message.make_query(name, kind)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(question, host, port=int(port), timeout=5)


def records(message: dns.message.Message) -> set[str]:
    return {record.to_text() for group in message.answer for record in group}


def test_a_removed_thread_is_gone_at_once_and_comes_back(own_web: PracticeWeb) -> None:
    pages = next(one for one in own_web.truth() if one.name == "thread-3").pages
    before = fetch(own_web, pages[1])[0]
    own_web.remove("thread-3")
    between = fetch(own_web, pages[1])[0]
    own_web.restore("thread-3")

    assert (before, between, fetch(own_web, pages[1])[0]) == (200, 404, 200)


def test_a_thread_removed_from_the_forum_stays_on_the_mirror(own_web: PracticeWeb) -> None:
    own_web.remove("thread-3")
    states = {(one.site, one.present) for one in own_web.truth() if one.name == "thread-3"}

    assert states == {("forum", False), ("mirror", True)}


@pytest.mark.parametrize(
    ("style", "status"), [(Style.NOT_FOUND, 404), (Style.SOFT, 200), (Style.HOME, 302)], ids=str
)
def test_the_style_of_a_site_may_be_chosen(own_web: PracticeWeb, style: Style, status: int) -> None:
    own_web.answer_missing("forum", style)

    assert fetch(own_web, own_web.addresses["forum"] + "t/99")[0] == status


@pytest.mark.parametrize(("name", "site"), [("thread-99", ""), ("paste-1", "forum"), ("thread-2", "mirror")])
def test_what_is_not_there_cannot_be_removed(web: PracticeWeb, name: str, site: str) -> None:
    with pytest.raises(ValueError, match="no such document"):
        web.remove(name, site=site)


def test_every_present_public_page_of_the_truth_answers(web: PracticeWeb) -> None:
    pages = [page for one in web.truth() if one.access == "public" for page in one.pages]

    assert {fetch(web, page)[0] for page in pages} == {200}


def test_counters_count_what_a_crawler_must_not_do(own_web: PracticeWeb) -> None:
    root = own_web.addresses["forum"]
    fetch(own_web, root)
    assert (own_web.hits.media_hits, own_web.hits.state_changing_hits, own_web.hits.post_hits) == (0, 0, 0)

    for target in ("avatar/1.png", "pictures/7.png", "like?post=1"):
        fetch(own_web, root + target)
    fetch(own_web, root + "login", method="POST")

    assert (own_web.hits.media_hits, own_web.hits.state_changing_hits, own_web.hits.post_hits) == (2, 1, 1)
    assert [hit.path for hit in own_web.hits.all(HOSTS["forum"])][:2] == ["/", "/avatar/1.png"]
    assert own_web.hits.all(HOSTS["mirror"]) == ()


def test_a_host_that_is_not_here_is_told_so(web: PracticeWeb) -> None:
    connection = HTTPConnection(web.hosts["forum"], web.port, timeout=5)
    connection.request("GET", "/", headers={"Host": "rye.example"})

    assert connection.getresponse().status == 404
    connection.close()


def test_a_head_request_has_no_body(web: PracticeWeb) -> None:
    status, headers, body = fetch(web, web.addresses["paste"], method="HEAD")

    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize("tcp", [False, True])
def test_names_lead_to_the_servers(web: PracticeWeb, tcp: bool) -> None:
    found = resolve(web.nameserver, "forum.crumb.example", "A", tcp=tcp)

    assert records(found) == {web.hosts["forum"]}


def test_an_alias_is_answered_with_its_target(web: PracticeWeb) -> None:
    found = resolve(web.nameserver, "mirror.crust.example", "A")

    assert records(found) == {"edge.basket.example.", web.hosts["mirror"]}


def test_a_name_may_lead_off_loopback(web: PracticeWeb) -> None:
    assert records(resolve(web.nameserver, "WWW.loaf.example", "A")) == {"192.0.2.80"}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("NS", {"ns1.levain.example.", "ns2.levain.example."}),
        ("MX", {"10 mail.levain.example."}),
        ("SOA", {"ns1.levain.example. hostmaster.crumb.example. 2026050101 7200 900 1209600 60"}),
    ],
)
def test_domains_have_name_servers_mail_and_authority(web: PracticeWeb, kind: str, wanted: set[str]) -> None:
    assert records(resolve(web.nameserver, "crumb.example", kind)) == wanted


def test_a_name_without_addresses_of_the_kind_answers_empty_with_authority(web: PracticeWeb) -> None:
    found = resolve(web.nameserver, "forum.crumb.example", "AAAA")

    assert (found.rcode(), found.answer) == (dns.rcode.NOERROR, [])
    assert [group.rdtype for group in found.authority] == [dns.rdatatype.SOA]


def test_an_unnamed_host_does_not_exist_until_it_is_named_again(own_web: PracticeWeb) -> None:
    own_web.unname("mirror.crust.example")
    gone = resolve(own_web.nameserver, "mirror.crust.example", "A")
    own_web.rename("mirror.crust.example")

    assert gone.rcode() == dns.rcode.NXDOMAIN
    assert records(resolve(own_web.nameserver, "mirror.crust.example", "A"))


def test_an_unknown_name_does_not_exist(web: PracticeWeb) -> None:
    assert resolve(web.nameserver, "rye.example", "A").rcode() == dns.rcode.NXDOMAIN


def test_a_packet_that_is_no_query_gets_no_answer_and_stops_nothing() -> None:
    with NameServer(practice_zone(HOSTS_AT_ONE)) as server:
        host, _, port = server.address.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"\x00\x01", (host, int(port)))
        found = resolve(server.address, "forum.crumb.example", "A")

    assert records(found) == {"127.0.0.2"}


def test_an_alias_loop_ends() -> None:
    zone = practice_zone(HOSTS_AT_ONE)
    zone["edge.basket.example"] = zone["mirror.crust.example"]
    question = dns.message.make_query("mirror.crust.example", "A")

    assert dns.message.from_wire(reply_to(question.to_wire(), zone)).rcode() == dns.rcode.NOERROR


def rdap(target: str) -> tuple[int, dict[str, object]]:
    found = answer(Ask.of(target, origin="http://127.0.0.1:80", port=80))
    assert dict(found.headers)["Content-Type"] == "application/rdap+json"
    return found.status, json.loads(found.body)


def mailboxes(entities: object) -> list[tuple[int, list[str], str]]:
    """Give depth, roles and mailbox of every entity, read as RFC 9083 and RFC 7095 say."""
    found: list[tuple[int, list[str], str]] = []

    def walk(items: object, depth: int) -> None:
        for item in items if isinstance(items, list) else []:
            assert item["objectClassName"] == "entity"
            assert item["vcardArray"][0] == "vcard"
            card = {entry[0]: entry[3] for entry in item["vcardArray"][1]}
            assert {"version", "fn"} <= card.keys()
            found.append((depth, item["roles"], card.get("email", "")))
            walk(item.get("entities", []), depth + 1)

    walk(entities, 0)
    return found


@pytest.mark.parametrize(
    "target", ["/ip/198.51.100.1", "/ip/bread", "/autnum/1", "/domain/rye.example", "/", "/x/y"]
)
def test_the_registry_says_not_found_as_an_rdap_error(target: str) -> None:
    status, body = rdap(target)

    assert (status, body["errorCode"]) == (404, 404)


@pytest.mark.parametrize("target", ["/ip/127.0.0.5", "/ip/127.0.0.0/26"])
def test_a_network_answer_names_its_whole_range(target: str) -> None:
    _, body = rdap(target)

    assert body["objectClassName"] == "ip network"
    assert (body["startAddress"], body["endAddress"]) == ("127.0.0.0", "127.0.0.127")
    assert (body["ipVersion"], body["country"]) == ("v4", "NL")
    assert "rdap_level_0" in body["rdapConformance"]  # type: ignore[operator]  # a list, by RFC 9083


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("127.0.0.2", [(1, "abuse@levain.example")]),
        ("127.0.0.130", [(0, "abuse@basket.example")]),
        ("127.0.0.194", [(0, "none@invalid.invalid")]),
    ],
)
def test_abuse_contacts_stand_where_each_network_keeps_them(
    address: str, wanted: list[tuple[int, str]]
) -> None:
    _, body = rdap(f"/ip/{address}")
    found = [(depth, mailbox) for depth, roles, mailbox in mailboxes(body["entities"]) if "abuse" in roles]

    assert found == wanted


def test_a_domain_answer_nests_the_registrars_abuse_contact() -> None:
    _, body = rdap("/domain/CRUMB.example")

    assert (body["objectClassName"], body["ldhName"]) == ("domain", "crumb.example")
    assert (1, ["abuse"], "abuse@oven-door.example") in mailboxes(body["entities"])


def test_the_bootstrap_files_lead_to_the_registry(web: PracticeWeb) -> None:
    services = json.loads((web.bootstrap_folder / "ipv4.json").read_text())["services"]
    (ranges, (root,)) = services[0]
    connection = HTTPConnection(urlsplit(root).netloc, timeout=5)
    connection.request("GET", f"/ip/{web.hosts['mirror']}")
    body = json.loads(connection.getresponse().read())
    connection.close()

    assert any(ipaddress.ip_address(web.hosts["mirror"]) in ipaddress.ip_network(one) for one in ranges)
    assert body["objectClassName"] == "ip network"
    assert {path.name for path in web.bootstrap_folder.iterdir()} == {
        "ipv4.json",
        "ipv6.json",
        "asn.json",
        "dns.json",
    }


def test_the_country_files_agree_on_one_network_and_not_on_another(web: PracticeWeb) -> None:
    voters = [_countries(path) for path in web.country_files]

    assert [voter["127.0.0.0"] for voter in voters] == ["NL", "NL"]
    assert [voter["127.0.0.128"] for voter in voters] == ["DE", "FR"]


def _countries(path: Path) -> dict[str, str]:
    rows = [line.split(",") for line in path.read_text().splitlines() if not line.startswith("#")]
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)
    return {str(ipaddress.ip_address(int(row[0]))): row[2] for row in rows}


def test_the_as_file_gives_a_documentation_number_to_each_network(web: PracticeWeb) -> None:
    rows = [line.split("\t") for line in web.asn_file.read_text().splitlines()]

    assert [int(row[2]) for row in rows] == [64496, 64497, 64498, 64499]
    assert all(find_network(row[0]) == network for row, network in zip(rows, NETWORKS, strict=True))


def test_the_terms_file_has_the_columns_of_an_import(web: PracticeWeb) -> None:
    rows = list(csv.DictReader(io.StringIO(web.terms_csv())))

    assert {row["kind"] for row in rows} == {"word", "phrase"}
    assert {one for document in web.truth() for one in document.terms} == {row["id"] for row in rows}


@pytest.mark.parametrize(
    "order", [{}, {"bake": "loaf"}, {"remove": "thread-99"}, {"style": "burnt", "site": "forum"}]
)
def test_an_order_that_cannot_be_obeyed_is_refused(web: PracticeWeb, order: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        obey(web, order)


def test_an_address_that_the_system_lacks_falls_back_to_the_one_it_has() -> None:
    assert usable_address("192.0.2.1") == "127.0.0.1"


def test_it_runs_in_a_process_of_its_own_and_takes_orders(tmp_path: Path) -> None:
    port_file = tmp_path / "web.json"
    command = [sys.executable, "-m", "desk.practice.servers", "--folder", str(tmp_path / "data")]
    with subprocess.Popen(
        [*command, "--port-file", str(port_file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write('{"remove": "thread-2"}\nno order\n{"hits": true}\n{"truth": true}\n')
        child.stdin.flush()
        lines = [json.loads(child.stdout.readline()) for _ in range(4)]
        description = json.loads(port_file.read_text())
        child.stdin.close()
        ended = child.wait(10)

    assert ended == 0
    assert lines[0] == {"done": "remove"}
    assert "error" in lines[1]
    assert lines[2]["hits"]["media_hits"] == 0
    assert [one["name"] for one in lines[3]["truth"] if not one["present"]] == ["thread-2"]
    assert description["addresses"]["forum"].startswith("http://forum.crumb.example:")


def test_ports_are_closed_after_use(tmp_path: Path) -> None:
    with PracticeWeb(tmp_path) as web:
        host, port = web.hosts["forum"], web.port

    with pytest.raises(OSError, match=r"."):
        socket.create_connection((host, port), timeout=1).close()
