"""Who hosts a page: whole look-ups against a name server, a registry and a WHOIS server on loopback."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caselog.errors import ConfigError
from caselog.records.choices import CountryLevel
from enrich.hosting import look_up
from enrich.sources import Sources, SourceSettings, build_sources
from tests.servers.dns import SERVFAIL, SILENCE, DnsServer
from tests.servers.rdap import (
    BROKEN,
    DEEP,
    GARBAGE,
    HUGE,
    PAUSE,
    RdapServer,
    Reply,
    entity,
    network,
)
from tests.servers.whois import WhoisServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caselog.records.hosting import Hosting
    from enrich.addresses import Address
    from enrich.interface import Cached

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ABUSE = entity(["abuse"], "Bread Abuse", "abuse@ovenhost.test")


@pytest.fixture
def rdap() -> Iterator[RdapServer]:
    with RdapServer() as server:
        yield server


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


class House:
    """Builds sources in a folder, and keeps the questions that left the house."""

    def __init__(self, folder: Path, rdap: RdapServer, names: DnsServer) -> None:
        self.questions: list[tuple[str, str, str]] = []
        self.folder = folder
        (folder / "one.csv").write_text("# 2026-11-01\n203.0.113.0,203.0.113.255,FI\n2001:db8::/32,FI\n")
        (folder / "two.csv").write_text("# 2026-11-02\n203.0.113.0,203.0.113.255,FI\n198.51.100.0/24,SE\n")
        (folder / "asn.tsv").write_text("203.0.113.0\t203.0.113.255\t64500\tDE\tOVENHOST\n")
        self.settings = SourceSettings(
            folder=folder,
            practice=True,
            nameservers=(names.address,),
            country=("one.csv", "two.csv"),
            asn="asn.tsv",
            rdap_bootstrap=str(rdap.write_bootstrap(folder / "bootstrap")),
            providers="none",
        )

    def note(self, *, kind: str, server: str, name: str, outcome: str, at: datetime) -> None:
        assert server
        assert at >= NOW
        self.questions.append((kind, name, outcome))

    def sources(self, **changes: Any) -> Sources:
        return build_sources(replace(self.settings, **changes), log_query=self.note)


@pytest.fixture
def house(tmp_path: Path, rdap: RdapServer, names: DnsServer) -> House:
    return House(tmp_path, rdap, names)


def contacts(record: Hosting) -> list[str]:
    return [row["address"] for row in record.contacts]


def errors(record: Hosting) -> list[str]:
    return [row["error"] for row in record.answers if "error" in row]


def test_an_onion_service_has_no_host_no_country_and_is_never_asked_about(house: House) -> None:
    record = look_up("breadbread.onion", sources=house.sources(), now=NOW, mode="all")

    assert house.questions == []
    assert (record.country, record.country_level, record.contacts) == (None, CountryLevel.UNKNOWN, ())


def test_a_domain_gets_addresses_network_country_and_contact(
    house: House, rdap: RdapServer, names: DnsServer
) -> None:
    names.zone["forum.bread.example"] = ["CNAME web.ovenhost.test"]
    names.zone["web.ovenhost.test"] = ["300 A 203.0.113.7"]
    names.zone["bread.example"] = ["NS ns1.ovenhost.test", "MX 10 mail.bread.example"]
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    (house.folder / "national.csv").write_text("country,hotline\nFI,The Finnish hotline\n")

    record = look_up(
        "Forum.Bread.Example.", sources=house.sources(national="national.csv"), now=NOW, mode="registries"
    )

    assert record.host == "forum.bread.example"
    assert record.addresses == ("203.0.113.7",)
    assert record.cname == ("web.ovenhost.test",)
    assert record.ns == ("ns1.ovenhost.test",)
    assert (record.network_name, record.network_range) == ("BREAD-NET", "203.0.113.0 - 203.0.113.255")
    assert (record.asn, record.as_name, record.as_country) == (64500, "OVENHOST", "DE")
    assert (record.country, record.country_level) == ("FI", CountryLevel.AGREED)
    assert record.registration_country == "DE"
    assert record.national_route == "The Finnish hotline"
    assert contacts(record) == ["abuse@ovenhost.test"]
    assert [row["why"] for row in record.contacts] == ["abuse role of the network"]
    assert False is record.proxied
    assert ("rdap", "203.0.113.7", "answer") in house.questions
    assert {"name": "forum.bread.example", "type": "A", "value": "203.0.113.7", "ttl": 300} in record.dns


def test_offline_asks_no_registry(house: House, rdap: RdapServer) -> None:
    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="offline")

    assert rdap.hits == {}
    assert (record.country, record.country_level, record.asn) == ("FI", CountryLevel.AGREED, 64500)
    assert house.questions == []
    assert record.contacts == ()


def test_an_address_inside_a_known_range_is_not_asked_about_again(house: House, rdap: RdapServer) -> None:
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    sources = house.sources()

    for last in range(40):
        record = look_up(f"203.0.113.{last}", sources=sources, now=NOW + timedelta(days=6), mode="registries")

        assert contacts(record) == ["abuse@ovenhost.test"]
    assert sum(rdap.hits.values()) == 1


def test_contacts_are_read_again_after_seven_days(house: House, rdap: RdapServer) -> None:
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    sources = house.sources()
    look_up("203.0.113.7", sources=sources, now=NOW, mode="registries")
    changed = entity(["abuse"], "Bread Abuse", "abuse@newoven.test")
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", changed)

    record = look_up("203.0.113.7", sources=sources, now=NOW + timedelta(days=7), mode="registries")

    assert contacts(record) == ["abuse@newoven.test"]


def test_old_contacts_are_not_used_when_the_registry_fails(house: House, rdap: RdapServer) -> None:
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    sources = house.sources()
    look_up("203.0.113.7", sources=sources, now=NOW, mode="registries")
    rdap.networks["203.0.113.0/24"] = BROKEN

    record = look_up("203.0.113.7", sources=sources, now=NOW + timedelta(days=8), mode="registries")

    assert (record.network_name, contacts(record)) == ("BREAD-NET", [])


def test_many_threads_ask_once_for_one_range(house: House, rdap: RdapServer) -> None:
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    sources = house.sources()
    found: list[list[str]] = []

    def ask(last: int) -> None:
        found.append(contacts(look_up(f"203.0.113.{last}", sources=sources, now=NOW, mode="registries")))

    threads = [threading.Thread(target=ask, args=(last,)) for last in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert found == [["abuse@ovenhost.test"]] * 12
    assert (sum(rdap.hits.values()), rdap.most_in_flight) == (1, 1)


def test_a_thousand_hosts_in_two_hundred_networks_cost_two_hundred_questions(
    house: House, rdap: RdapServer
) -> None:
    hosts = []
    for number in range(200):
        block = f"198.18.{number}.0/24"
        rdap.networks[block] = network(block, ABUSE)
        hosts += [f"198.18.{number}.{last}" for last in (1, 7, 77, 177, 250)]
    sources = house.sources()

    for host in sorted(hosts, key=lambda host: host[::-1]):
        look_up(host, sources=sources, now=NOW, mode="registries")

    assert sum(rdap.hits.values()) == 200


def test_a_pause_is_obeyed_until_its_end(house: House, rdap: RdapServer) -> None:
    rdap.networks["203.0.113.0/24"] = PAUSE
    sources = house.sources()

    first = look_up("203.0.113.7", sources=sources, now=NOW, mode="registries")
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    during = look_up("203.0.113.7", sources=sources, now=NOW + timedelta(seconds=119), mode="registries")
    asked = sum(rdap.hits.values())
    after = look_up("203.0.113.7", sources=sources, now=NOW + timedelta(seconds=121), mode="registries")

    assert "paused" in errors(first)
    assert (NOW + timedelta(seconds=120)).isoformat() in [row.get("retry_at") for row in first.answers]
    assert (asked, contacts(during)) == (1, [])
    assert contacts(after) == ["abuse@ovenhost.test"]


def test_what_a_registry_does_not_know_is_remembered_for_a_day(house: House, rdap: RdapServer) -> None:
    sources = house.sources()

    record = look_up("203.0.113.7", sources=sources, now=NOW, mode="registries")
    asked = rdap.hits["ip/203.0.113.7"]
    look_up("203.0.113.7", sources=sources, now=NOW + timedelta(hours=23), mode="registries")
    again = rdap.hits["ip/203.0.113.7"]
    look_up("203.0.113.7", sources=sources, now=NOW + timedelta(hours=25), mode="registries")

    assert "not_found" in errors(record)
    assert (asked, again, rdap.hits["ip/203.0.113.7"]) == (1, 1, 2)


@pytest.mark.parametrize(
    "reply",
    [
        BROKEN,
        GARBAGE,
        HUGE,
        DEEP,
        Reply(200, b"[]"),
        Reply(200, b'{"startAddress": NaN}'),
        Reply(302, headers={"Location": "http://localhost:1/ip/203.0.113.7"}),
        Reply(302, headers={"Location": "http://192.0.2.1/ip/203.0.113.7"}),
        Reply(302, headers={"Location": "ip/203.0.113.7"}),
        Reply(302, headers={"Location": "file:///etc/hostname"}),
        Reply(200, b"", headers={"Content-Length": "nonsense"}),
    ],
    ids=["500", "html", "huge", "deep", "list", "nan", "localhost", "elsewhere", "circle", "file", "length"],
)
def test_a_hostile_registry_is_a_recorded_failure_and_never_a_contact(
    house: House, rdap: RdapServer, reply: Reply
) -> None:
    rdap.paths["ip/203.0.113.7"] = reply

    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")

    assert record.contacts == ()
    assert {"failed", "redirect_scope"} & set(errors(record))


def test_an_answer_about_another_range_is_refused(house: House, rdap: RdapServer) -> None:
    rdap.paths["ip/203.0.113.7"] = network("198.51.100.0/24", ABUSE)

    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")

    assert (record.network_name, record.contacts) == (None, ())


def test_an_answer_for_half_the_internet_is_no_network(house: House, rdap: RdapServer) -> None:
    rdap.paths["ip/203.0.113.7"] = network("0.0.0.0/0", ABUSE)

    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")

    assert (record.network_name, record.contacts) == (None, ())


def test_a_redirect_to_another_registry_of_the_bootstrap_is_followed(
    house: House, rdap: RdapServer, tmp_path: Path
) -> None:
    rdap.paths["ip/203.0.113.7"] = Reply(302, headers={"Location": f"{rdap.url}elsewhere/203.0.113.7"})
    rdap.paths["elsewhere/203.0.113.7"] = network("203.0.113.0/24", ABUSE)

    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")

    assert contacts(record) == ["abuse@ovenhost.test"]


def test_no_bootstrap_folder_is_a_recorded_failure(house: House) -> None:
    record = look_up("203.0.113.7", sources=house.sources(rdap_bootstrap=""), now=NOW, mode="registries")

    assert "no_registry" in errors(record)


def test_an_unclear_abuse_role_is_settled_by_whois(house: House, rdap: RdapServer) -> None:
    unclear = entity(["abuse"], "Oven Registry", "zz@ovenhost.test", "anna.berg@ovenhost.test")
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", unclear, port43="whois.ripe.net")
    text = "% Abuse contact for '203.0.113.0 - 203.0.113.255' is 'protect@ovenhost.test'\n\n"
    text += "inetnum: 203.0.113.0 - 203.0.113.255\n"
    with WhoisServer({"203.0.113.7": text}) as whois:
        sources = house.sources(whois={"ripencc": whois.address})
        record = look_up("203.0.113.7", sources=sources, now=NOW, mode="registries")
        look_up("203.0.113.8", sources=sources, now=NOW, mode="registries")

        assert contacts(record) == ["protect@ovenhost.test"]
        assert whois.questions == ["-r 203.0.113.7"]
    assert {"zz@ovenhost.test", "anna.berg@ovenhost.test"} == {r["address"] for r in record.rejected_contacts}


def test_whois_text_about_another_range_is_not_used(house: House, rdap: RdapServer) -> None:
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24")
    text = "NetRange: 198.51.100.0 - 198.51.100.255\nOrgAbuseEmail: abuse@other.test\n"
    with WhoisServer(default=text) as whois:
        record = look_up(
            "203.0.113.7", sources=house.sources(whois={"arin": whois.address}), now=NOW, mode="registries"
        )

    assert record.contacts == ()


def test_the_network_above_is_asked_when_the_narrow_one_names_nobody(house: House, rdap: RdapServer) -> None:
    up = [{"rel": "up", "href": f"{rdap.url}ip/203.0.113.0/24"}]
    rdap.networks["203.0.113.0/28"] = network("203.0.113.0/28", links=up)
    rdap.paths["ip/203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    sources = house.sources()

    record = look_up("203.0.113.7", sources=sources, now=NOW, mode="registries")
    asked = sum(rdap.hits.values())
    again = look_up("203.0.113.8", sources=sources, now=NOW, mode="registries")

    assert ["abuse@ovenhost.test"] == contacts(record) == contacts(again)
    assert asked == sum(rdap.hits.values())
    assert "1 network up" in record.contacts[0]["why"]


def test_an_abuse_role_without_a_mailbox_is_asked_about_by_its_handle(house: House, rdap: RdapServer) -> None:
    bare = {"roles": ["abuse"], "handle": "OVEN1"}
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", bare)
    rdap.paths["entity/OVEN1"] = entity([], "Oven", "mails@ovenhost.test", handle="OVEN1")

    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")

    assert contacts(record) == ["mails@ovenhost.test"]


def test_a_guess_needs_a_mail_server_and_is_marked(house: House, rdap: RdapServer, names: DnsServer) -> None:
    names.zone["ovenhost.test"] = ["MX 10 mail.ovenhost.test"]
    rdap.networks["203.0.113.0/24"] = network(
        "203.0.113.0/24", entity(["technical"], "Oven", "hm@ovenhost.test")
    )
    rdap.networks["198.51.100.0/24"] = network(
        "198.51.100.0/24", entity(["technical"], "Oven", "hm@silent.test")
    )

    guessed = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")
    without = look_up("198.51.100.7", sources=house.sources(), now=NOW, mode="registries")

    assert [(row["address"], row["guessed"]) for row in guessed.contacts] == [("abuse@ovenhost.test", True)]
    assert without.contacts == ()


def test_a_mailbox_on_the_offending_domain_is_never_written_to(
    house: House, rdap: RdapServer, names: DnsServer
) -> None:
    names.zone["www.bread.example"] = ["A 203.0.113.7"]
    own = entity(["abuse"], "Bread", "abuse@mail.bread.example")
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", own)

    record = look_up("www.bread.example", sources=house.sources(), now=NOW, mode="registries")

    assert record.contacts == ()
    assert [row["why"] for row in record.rejected_contacts] == ["on the offending domain"]


def test_the_registrar_and_its_nested_abuse_mailbox_are_found(house: House, rdap: RdapServer) -> None:
    abuse = entity(["abuse"], "Complaints", "abuse@registrar.test")
    registrar = entity(["registrar"], "Bread Names Ltd", kind="org", entities=[abuse])
    rdap.paths["domain/bread.example"] = {"objectClassName": "domain", "entities": [registrar]}

    asked = look_up("www.bread.example", sources=house.sources(), now=NOW, mode="all")
    silent = look_up("www.bread.example", sources=house.sources(), now=NOW, mode="registries")

    assert (asked.registrar, asked.registrar_contact) == ("Bread Names Ltd", "abuse@registrar.test")
    assert (silent.registrar, silent.registrar_contact) == (None, None)


def test_the_registrar_comes_from_whois_where_the_registry_has_no_rdap(house: House) -> None:
    text = "Registrar: Bread Names Ltd\nRegistrar Abuse Contact Email: abuse@registrar.test\n"
    with WhoisServer({"bread.test": text}) as whois:
        record = look_up(
            "www.bread.test", sources=house.sources(whois={"test": whois.address}), now=NOW, mode="all"
        )

    assert (record.registrar, record.registrar_contact) == ("Bread Names Ltd", "abuse@registrar.test")


def test_a_proxied_host_has_no_country(house: House, names: DnsServer) -> None:
    (house.folder / "providers.toml").write_text(
        '[[provider]]\nname = "Oven Shield"\nkind = "proxy"\nranges = ["203.0.113.0/24"]\n'
        'contact = "abuse@shield.test"\n'
    )

    record = look_up(
        "203.0.113.7", sources=house.sources(providers="providers.toml"), now=NOW, mode="offline"
    )

    assert (record.proxied, record.proxy) == (True, "Oven Shield")
    assert (record.country, record.country_level) == (None, CountryLevel.UNKNOWN)
    assert contacts(record) == ["abuse@shield.test"]


@pytest.mark.parametrize("address", ["104.16.1.1", "172.64.0.1", "2606:4700::1", "151.101.1.1", "45.60.3.3"])
def test_published_proxy_ranges_never_get_a_country(house: House, address: str) -> None:
    (house.folder / "one.csv").write_text(
        f"{address}/32,US\n" if ":" not in address else f"{address}/128,US\n"
    )

    record = look_up(
        address, sources=house.sources(providers="", country=("one.csv",)), now=NOW, mode="offline"
    )

    assert (record.proxied, record.country, record.country_level) == (True, None, CountryLevel.UNKNOWN)


def test_a_host_that_may_be_proxied_gets_no_national_route(house: House) -> None:
    (house.folder / "providers.toml").write_text(
        '[[provider]]\nname = "Mixed Oven"\nkind = "mixed"\nasns = [64500]\n'
    )
    (house.folder / "national.csv").write_text("FI,The Finnish hotline\n")

    record = look_up(
        "203.0.113.7",
        sources=house.sources(providers="providers.toml", national="national.csv"),
        now=NOW,
        mode="offline",
    )

    assert (record.proxied, record.country, record.country_level) == (None, "FI", CountryLevel.SINGLE)
    assert record.national_route is None


def test_a_verified_host_of_the_table_costs_no_question(house: House, rdap: RdapServer) -> None:
    (house.folder / "providers.toml").write_text(
        '[[provider]]\nname = "Oven Host"\nkind = "host"\nasns = [64500]\ncontact = "abuse@ovenhost.test"\n'
    )

    record = look_up(
        "203.0.113.7", sources=house.sources(providers="providers.toml"), now=NOW, mode="registries"
    )

    assert (rdap.hits, contacts(record)) == ({}, ["abuse@ovenhost.test"])


def test_name_failures_are_recorded_and_nothing_is_guessed_from_them(house: House, names: DnsServer) -> None:
    names.zone["bread.example"] = SERVFAIL
    sources = house.sources()

    broken = look_up("bread.example", sources=sources, now=NOW, mode="offline")
    missing = look_up(
        "trains.example", sources=sources, now=NOW, mode="offline", known_addresses=["203.0.113.7"]
    )

    assert {"servfail"} == {row["error"] for row in broken.dns}
    assert {"nxdomain"} == {row["error"] for row in missing.dns}
    assert (missing.addresses, missing.country) == ((), None)


def test_addresses_that_the_crawl_met_stand_in_where_names_fail(house: House, names: DnsServer) -> None:
    names.zone["bread.example"] = SILENCE
    sources = replace(house.sources(), names=None)

    record = look_up(
        "bread.example", sources=sources, now=NOW, mode="offline", known_addresses=["203.0.113.7"]
    )

    assert (record.addresses, record.country) == (("203.0.113.7",), "FI")


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "100.64.0.1", "192.168.1.1", "169.254.1.1", "fd00::1", "0.0.0.0"]
)
def test_private_addresses_have_no_country_and_are_not_asked_about(
    house: House, rdap: RdapServer, address: str
) -> None:
    (house.folder / "one.csv").write_text("0,4294967295,FI\n::/0,FI\n")

    record = look_up(address, sources=house.sources(), now=NOW, mode="registries")

    assert (rdap.hits, record.country_level) == ({}, CountryLevel.UNKNOWN)


def test_a_mapped_address_is_its_ipv4_one(house: House) -> None:
    record = look_up("[::ffff:203.0.113.7]:8080", sources=house.sources(), now=NOW, mode="offline")

    assert (record.host, record.addresses) == ("[::ffff:203.0.113.7]:8080", ("203.0.113.7",))
    assert record.country == "FI"


def test_a_platform_is_named_and_its_own_mailbox_is_allowed(
    house: House, rdap: RdapServer, names: DnsServer
) -> None:
    names.zone["baker.github.io"] = ["A 203.0.113.7"]
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", entity(["abuse"], "P", "abuse@github.io"))

    record = look_up("baker.github.io", sources=house.sources(), now=NOW, mode="registries")

    assert (record.platform, contacts(record)) == ("github.io", ["abuse@github.io"])


def test_addresses_in_two_countries_are_disputed(house: House, names: DnsServer) -> None:
    names.zone["bread.example"] = ["A 203.0.113.7", "A 198.51.100.7"]

    record = look_up("bread.example", sources=house.sources(), now=NOW, mode="offline")

    assert (record.country, record.country_level) == (None, CountryLevel.DISPUTED)


def test_no_look_up_inherits_anything_from_another(house: House, rdap: RdapServer, names: DnsServer) -> None:
    """Every order of look-ups through the same sources gives what each gives alone."""
    names.zone["bread.example"] = ["A 203.0.113.7"]
    names.zone["trains.example"] = ["A 198.51.100.7"]
    names.zone["garden.example"] = ["A 192.0.2.7"]
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)
    rdap.networks["198.51.100.0/24"] = network("198.51.100.0/24", entity(["technical"], "T", "t@trains.test"))
    hosts = ["bread.example", "trains.example", "garden.example", "empty.example"]
    alone = {host: look_up(host, sources=house.sources(), now=NOW, mode="all") for host in hosts}

    for order in itertools.permutations(hosts):
        sources = house.sources()
        for host in order:
            assert alone[host] == look_up(host, sources=sources, now=NOW, mode="all")


def test_a_practice_workspace_refuses_servers_that_are_not_loopback(house: House) -> None:
    with pytest.raises(ConfigError):
        house.sources(nameservers=("192.0.2.53",))
    with pytest.raises(ConfigError):
        house.sources(whois={"arin": "192.0.2.43:43"})


def test_a_live_workspace_asks_no_loopback_registry_and_no_plain_http(house: House, rdap: RdapServer) -> None:
    record = look_up("1.1.1.1", sources=house.sources(practice=False), now=NOW, mode="registries")

    assert rdap.hits == {}
    assert "scheme" in errors(record)


class WrittenCache:
    """Keeps answers as JSON text, as a database does."""

    def __init__(self) -> None:
        self.rows: list[tuple[Cached, str]] = []

    def get(self, ip: Address, now: datetime) -> Cached | None:
        fitting = [(kept, text) for kept, text in self.rows if kept.span.holds(ip) and kept.expires_at > now]
        return replace(fitting[-1][0], facts=json.loads(fitting[-1][1])) if fitting else None

    def put(self, cached: Cached) -> None:
        self.rows.append((replace(cached, facts={}), json.dumps(cached.facts)))


def test_a_cache_that_writes_json_gives_the_same_records_without_a_question(
    house: House, rdap: RdapServer
) -> None:
    holder = entity(
        ["registrant"], "Oven", kind="org", entities=[entity(["abuse"], "A", "zz@a.test", "q@a.test")]
    )
    remark = [{"description": ["bread only"]}]
    rdap.networks["203.0.113.0/24"] = network(
        "203.0.113.0/24", holder, remarks=remark, port43="whois.arin.net"
    )
    cache, more = WrittenCache(), WrittenCache()
    with WhoisServer(default="OrgAbuseEmail: abuse@ovenhost.test") as whois:
        settings = replace(house.settings, whois={"arin": whois.address})
        first, second = (
            look_up(
                "203.0.113.7",
                sources=build_sources(settings, cache=cache, more=more),
                now=NOW,
                mode="registries",
            )
            for _ in range(2)
        )

        assert (first, ["abuse@ovenhost.test"]) == (second, contacts(first))
        assert (sum(rdap.hits.values()), len(whois.questions)) == (1, 1)


@pytest.mark.parametrize(
    ("setting", "content"),
    [
        ("providers", "not toml ["),
        ("providers", '[[provider]]\nkind = "proxy"\n'),
        ("providers", '[[provider]]\nname = "x"\nkind = "odd"\n'),
        ("providers", '[[provider]]\nname = "x"\nranges = ["bread"]\n'),
        ("providers", '[[provider]]\nname = "x"\ncontact = "a@b\\r\\n.test"\n'),
        ("national", "bread\n"),
        ("country", "bread\n"),
        ("asn", "bread\n"),
    ],
)
def test_a_malformed_table_is_the_operators_fault(house: House, setting: str, content: str) -> None:
    (house.folder / "table").write_text(content)

    with pytest.raises(ConfigError):
        house.sources(**{setting: ("table",) if setting == "country" else "table"})


@pytest.mark.parametrize("content", ["bread", "[]", '{"services": 7}', '{"services": [[["0.0.0.0/0"]]]}'])
def test_a_malformed_bootstrap_is_the_operators_fault(house: House, content: str) -> None:
    (house.folder / "bootstrap" / "ipv4.json").write_text(content)

    with pytest.raises(ConfigError):
        house.sources()


def test_the_longest_prefix_and_suffix_choose_the_registry(house: House, rdap: RdapServer) -> None:
    services = [[["203.0.0.0/8"], ["http://127.0.0.1:1/"]], [["203.0.113.0/24"], [rdap.url.rstrip("/")]]]
    (house.folder / "bootstrap" / "ipv4.json").write_text(json.dumps({"services": services}))
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", ABUSE)

    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")

    assert contacts(record) == ["abuse@ovenhost.test"]
    assert house.sources().registries.bootstrap.for_domain("www.bread.example") == rdap.url
    assert house.sources().registries.bootstrap.for_domain("bread.invalid") is None


@pytest.mark.parametrize("word", ["redacted", "withheld"])
def test_a_registrars_placeholder_is_no_contact(house: House, rdap: RdapServer, word: str) -> None:
    abuse = entity(["abuse"], "C", f"{word}@registrar.test")
    rdap.paths["domain/bread.example"] = {"entities": [entity(["registrar"], "R", entities=[abuse])]}

    record = look_up("bread.example", sources=house.sources(), now=NOW, mode="all")

    assert (record.registrar, record.registrar_contact) == ("R", None)


@pytest.mark.parametrize("kind", ["cloudfront.net", "fastly.net", "b-cdn.net"])
def test_an_alias_to_a_proxy_is_a_sign(house: House, names: DnsServer, kind: str) -> None:
    names.zone["www.bread.example"] = [f"CNAME d1.{kind}"]
    names.zone[f"d1.{kind}"] = ["A 203.0.113.7"]
    names.zone["bread.example"] = ["NS ns.oven.test"]

    record = look_up("www.bread.example", sources=house.sources(providers=""), now=NOW, mode="offline")

    assert (record.proxied, record.country) == (True, None)


def test_a_holder_who_is_a_private_person_is_not_named(house: House, rdap: RdapServer) -> None:
    person = entity(["registrant"], "Anna Berg", kind="individual")
    rdap.networks["203.0.113.0/24"] = network("203.0.113.0/24", person, ABUSE)

    record = look_up("203.0.113.7", sources=house.sources(), now=NOW, mode="registries")

    assert record.holder is None
    assert "Anna" not in json.dumps(record.answers)


def test_loopback_is_looked_up_like_any_other_address_in_practice(house: House, rdap: RdapServer) -> None:
    (house.folder / "one.csv").write_text("127.0.0.0/25,FI\n")
    rdap.networks["127.0.0.0/25"] = network("127.0.0.0/25", ABUSE)

    record = look_up("127.0.0.2:8080", sources=house.sources(), now=NOW, mode="registries")

    assert (record.country, record.network_range) == ("FI", "127.0.0.0 - 127.0.0.127")
    assert contacts(record) == ["abuse@ovenhost.test"]
