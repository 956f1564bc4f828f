"""Who hosts what, through the command line, against name servers and registries on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from caselog.records.hosting import Hosting, Query
from caselog.records.leads import Lead
from tests.caselog_samples import evidence, page
from tests.desk_calls import Answer, Desk, desk
from tests.servers.dns import DnsServer
from tests.servers.rdap import BROKEN, PAUSE, RdapServer, entity, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "bread.example"
ABUSE = entity(["abuse"], "Bread Abuse", "abuse@ovenhost.test")


@dataclass(frozen=True)
class Bench:
    work: Desk
    rdap: RdapServer
    names: DnsServer

    def settings(self, **changes: Any) -> None:
        enrich = {
            "mode": "registries",
            "country": ["one.csv", "two.csv"],
            "asn": "asn.tsv",
            "rdap_bootstrap": "bootstrap",
            "providers": "none",
            **changes.pop("enrich", {}),
        }
        resolver = changes.get("resolver", [self.names.address])
        lines = ["[network]", f"resolver = {json.dumps(resolver)}", "[enrich]"]
        lines += [f"{key} = {json.dumps(value).replace(': ', ' = ')}" for key, value in enrich.items()]
        (self.work.folder / "leadline.toml").write_text("\n".join(lines) + "\n")

    def run(self, *arguments: str) -> Answer:
        return self.work.run("enrich", *arguments)

    def newest(self, host: str = HOST) -> Hosting:
        return self.all(Hosting, host=host)[-1]

    def all(self, kind: type[Any], **equals: Any) -> list[Any]:
        workspace = self.work.open()
        with workspace.log.read() as reader:
            found = reader.find(kind, **equals)
        workspace.log.close()
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with RdapServer() as rdap, DnsServer() as names:
        made = Bench(work=desk(tmp_path), rdap=rdap, names=names)
        made.work.add_leads("http://bread.example/sourdough", "http://rye.example/starter")
        workspace = made.work.open()
        with workspace.log.write() as writer:
            for lead in writer.find(Lead):
                seen = writer.append(page(lead, peer_ip="127.0.0.5", dns_answers=()))
                writer.append(evidence(seen))
        workspace.log.close()
        for host in ("bread.example", "rye.example"):
            names.zone[host] = ["300 A 203.0.113.7", "NS ns1.ovenhost.test"]
        rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
        folder = made.work.folder
        rdap.write_bootstrap(folder / "bootstrap")
        (folder / "one.csv").write_text("# 2026-11-01\n203.0.113.0,203.0.113.255,FI\n")
        (folder / "two.csv").write_text("# 2026-11-02\n203.0.113.0,203.0.113.255,FI\n")
        (folder / "asn.tsv").write_text("203.0.113.0\t203.0.113.255\t64500\tDE\tOVENHOST\n")
        made.settings()
        yield made


def test_a_practice_workspace_asks_no_server_off_loopback(bench: Bench) -> None:
    bench.settings(resolver=["192.0.2.53:53"])

    answer = bench.run()

    assert answer.code == 3
    assert "network.resolver" in answer.last("error")["message"]


@pytest.mark.parametrize(
    ("enrich", "setting"),
    [({"whois": {"arin": "192.0.2.43:43"}}, "enrich.whois"), ({"rdap_bootstrap": "far"}, "rdap_bootstrap")],
)
def test_registries_of_a_practice_workspace_stand_on_loopback(
    bench: Bench, enrich: dict[str, Any], setting: str
) -> None:
    (bench.work.folder / "far").mkdir()
    services = {"services": [[["203.0.113.0/24"], ["https://rdap.example/"]]]}
    (bench.work.folder / "far" / "ipv4.json").write_text(json.dumps(services))
    bench.settings(enrich=enrich)

    answer = bench.run()

    assert answer.code == 3
    assert setting in answer.last("error")["message"]


def test_registries_that_nobody_named_are_a_wrong_setting(bench: Bench) -> None:
    bench.settings(enrich={"rdap_bootstrap": ""})

    assert bench.run().code == 2


def test_a_live_workspace_needs_its_authority_first(tmp_path: Path) -> None:
    assert desk(tmp_path, live=True).run("enrich").code == 3


def test_each_lead_has_an_offline_row_at_intake(bench: Bench) -> None:
    rows = bench.all(Hosting)

    assert [(row.host, row.mode, row.lead_id) for row in rows] == [
        ("bread.example", "intake", 1),
        ("rye.example", "intake", 2),
    ]
    assert not bench.names.queries


def test_hosts_with_evidence_are_looked_up_and_one_range_is_asked_once(bench: Bench) -> None:
    answer = bench.run()

    expected = {"hosts": 2, "looked_up": 2, "from_cache": 0, "failed": 0, "contacts": 2, "without_contact": 0}
    assert (answer.code, {**answer.last("summary"), "queries": None}) == (0, {**expected, "queries": None})
    assert sum(bench.rdap.hits.values()) == 1
    row = bench.newest()
    assert (row.country, row.addresses, row.asn) == ("FI", ("203.0.113.7",), 64500)
    assert [one["address"] for one in row.contacts] == ["abuse@ovenhost.test"]


def test_each_question_is_recorded(bench: Bench) -> None:
    answer = bench.run()

    queries = bench.all(Query)
    asked = sum(bench.rdap.hits.values()) + sum(bench.names.queries.values())
    assert len(queries) == answer.last("summary")["queries"] == asked
    assert {query.kind for query in queries} == {"dns", "rdap"}


def test_what_was_looked_up_is_not_asked_again(bench: Bench) -> None:
    bench.run()
    before = bench.names.queries.total(), bench.rdap.hits.total()

    answer = bench.run()

    assert (answer.last("summary")["from_cache"], answer.last("summary")["queries"]) == (2, 0)
    assert before == (bench.names.queries.total(), bench.rdap.hits.total())


def test_a_refresh_asks_name_servers_anew_but_no_registry_within_its_time(bench: Bench) -> None:
    bench.run()

    answer = bench.run("--refresh")

    assert (answer.last("summary")["looked_up"], bench.rdap.hits.total()) == (2, 1)


def test_a_failed_source_ends_in_4_and_the_others_go_on(bench: Bench) -> None:
    bench.rdap.networks["203.0.113.0/24"] = BROKEN
    bench.names.zone["rye.example"] = ["300 A 203.0.113.7"]

    answer = bench.run()

    assert answer.code == 4
    assert {row["address"] for row in bench.newest().answers if "address" in row} == {"203.0.113.7"}
    assert bench.newest().country == "FI"


def test_what_failed_is_looked_up_again_at_once(bench: Bench) -> None:
    bench.rdap.networks["203.0.113.0/24"] = BROKEN
    bench.run()
    bench.rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)

    answer = bench.run()

    assert (answer.code, answer.last("summary")["looked_up"]) == (0, 2)
    assert [one["address"] for one in bench.newest().contacts] == ["abuse@ovenhost.test"]


def test_a_pause_that_a_registry_asks_for_outlives_the_process(bench: Bench) -> None:
    bench.rdap.networks["203.0.113.0/24"] = PAUSE

    codes = [bench.run().code, bench.run().code]

    assert (codes, bench.rdap.hits.total()) == ([4, 4], 1)


def test_a_named_host_needs_no_evidence(bench: Bench) -> None:
    bench.names.zone["train.example"] = ["300 A 203.0.113.9"]

    answer = bench.run("--host", "http://train.example:8080/loco")

    assert (answer.code, answer.last("summary")["hosts"]) == (0, 1)
    assert bench.newest("train.example").addresses == ("203.0.113.9",)


def test_an_excluded_host_is_never_asked_about(bench: Bench) -> None:
    bench.work.run("exclude", "add", HOST, "--reason", "support service")

    assert bench.run("--host", HOST).code == 3
    assert bench.run().last("summary")["hosts"] == 1
    assert not any(name == HOST for name, _ in bench.names.queries)


def test_a_host_below_an_excluded_name_is_never_asked_about(bench: Bench) -> None:
    bench.work.run("exclude", "add", HOST, "--reason", "support service")

    assert bench.run("--host", f"www.{HOST}").code == 3
    assert not any(name.endswith(HOST) for name, _ in bench.names.queries)


def test_an_onion_service_is_never_asked_about(bench: Bench) -> None:
    onion = "a" * 56 + ".onion"

    answer = bench.run("--host", onion)

    assert (answer.code, answer.last("summary")["queries"]) == (0, 0)
    assert bench.newest(onion).country is None


def test_offline_asks_nobody_and_uses_what_the_crawl_met(bench: Bench) -> None:
    bench.settings(enrich={"mode": "offline"})

    answer = bench.run()

    assert (answer.code, answer.last("summary")["queries"]) == (0, 0)
    assert not bench.names.queries
    assert bench.newest().addresses == ("127.0.0.5",)


def test_a_deeper_mode_looks_up_again(bench: Bench) -> None:
    bench.settings(enrich={"mode": "offline"})
    bench.run()
    bench.settings()

    assert bench.run().last("summary")["looked_up"] == 2


def test_no_output_holds_a_host_in_clear(bench: Bench) -> None:
    answers = [bench.run(), bench.work.run("hosting", "list"), bench.work.run("-v", "enrich", "--refresh")]

    assert not [answer for answer in answers if HOST in answer.out + answer.err]


def set_country(bench: Bench, country: str) -> Answer:
    arguments = ("--country", country, "--source", "a letter", "--reason", "traced by hand")
    return bench.work.run("hosting", "set", HOST, *arguments)


def test_a_person_is_one_more_source_of_the_country(bench: Bench) -> None:
    bench.run()

    row = set_country(bench, "fi").rows[0]

    assert (row["country"], row["country_level"], row["set_by"]) == ("FI", "agreed", "ada")
    assert [one["source"] for one in row["country_sources"]] == ["one.csv", "two.csv", "person: a letter"]


def test_a_person_against_all_others_leaves_the_country_disputed(bench: Bench) -> None:
    bench.settings(enrich={"country": ["one.csv"]})
    bench.run()

    row = set_country(bench, "SE").rows[0]

    assert (row["country"], row["country_level"], row["national_route"]) == ("SE", "disputed", None)


def test_what_a_person_found_goes_along_with_later_look_ups(bench: Bench) -> None:
    bench.run()
    arguments = ("--contact", "desk@ovenhost.test", "--source", "reply", "--reason", "told us")
    bench.work.run("hosting", "set", HOST, *arguments)

    bench.run("--refresh")

    assert [one["address"] for one in bench.newest().contacts] == [
        "desk@ovenhost.test",
        "abuse@ovenhost.test",
    ]
    assert bench.newest().mode == "registries"


def test_a_revealed_origin_brings_its_own_network(bench: Bench) -> None:
    bench.run()
    bench.rdap.networks["198.51.100.0/24"] = network(
        "198.51.100.0/24", entity(["abuse"], "Cellar", "abuse@cellar.test"), name="CELLAR-NET"
    )
    arguments = ("--origin", "198.51.100.4", "--source", "reply of the proxy", "--reason", "told us")

    assert bench.work.run("hosting", "set", HOST, *arguments).code == 0

    row = bench.newest()
    assert (row.addresses, row.network_name, row.proxied) == (("198.51.100.4",), "CELLAR-NET", False)
    bench.run("--refresh")
    assert bench.newest().network_name == "CELLAR-NET"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--country", "Finland"),
        ("--contact", "no mailbox"),
        ("--origin", "bread.example"),
        ("--country", "FI", "--contact", "a@b.test"),
        (),
    ],
)
def test_a_tracing_of_no_form_is_wrong_use(bench: Bench, arguments: tuple[str, ...]) -> None:
    answer = bench.work.run("hosting", "set", HOST, *arguments, "--source", "x", "--reason", "y")

    assert answer.code == 2


def test_contacts_are_listed_with_what_people_decided(bench: Bench) -> None:
    bench.run()
    first = bench.work.run("contacts", "list").rows

    bench.work.run("contacts", "approve", "ABUSE@ovenhost.test", "--reason", "looked up")
    second = bench.work.run("contacts", "list").rows

    assert [(row["address"], row["state"], row["hosts"]) for row in first] == [
        ("abuse@ovenhost.test", "new", 2)
    ]
    assert [row["state"] for row in second] == ["approved"]


def test_an_auditor_changes_no_contact(bench: Bench) -> None:
    arguments = ("contacts", "approve", "abuse@ovenhost.test", "--reason", "looked up")

    assert bench.work.run(*arguments, user="dee").code == 3


def test_from_evidence_to_a_released_letter(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    bench.work.run("contacts", "approve", "abuse@ovenhost.test", "--reason", "looked up")
    bench.work.run("notices", "draft")
    released = bench.work.run("notices", "release", "--all", user="ben")
    bench.work.run("notices", "export", "--to", str(tmp_path / "out"), "--format", "jsonl", user="ben")

    lines = (tmp_path / "out" / "notice-1.jsonl").read_text(encoding="utf-8").splitlines()
    facts = [json.loads(line) for line in lines]
    assert released.last("summary")["released"] == 1
    assert [(one["url"], one["country"], one["asn"]) for one in facts] == [
        ("http://bread.example/sourdough", "FI", 64500),
        ("http://rye.example/starter", "FI", 64500),
    ]


def test_a_mailbox_on_the_sites_own_domain_is_refused(bench: Bench) -> None:
    arguments = ("--contact", "abuse@mail.bread.example", "--source", "reply", "--reason", "told us")

    assert bench.work.run("hosting", "set", HOST, *arguments).code == 3


def test_a_mailbox_on_any_sites_domain_is_not_shown(bench: Bench) -> None:
    bench.work.run("contacts", "block", "desk@rye.example", "--reason", "runs the forum")

    assert [row["address"] for row in bench.work.run("contacts", "list").rows] == [None]


def test_two_runs_at_once_are_refused(bench: Bench) -> None:
    workspace = bench.work.open()
    with workspace.alone("enrich"):
        assert bench.run().code == 3
    workspace.log.close()
