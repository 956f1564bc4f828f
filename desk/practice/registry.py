"""What the practice registry knows: RDAP answers, bootstrap files, country and AS ranges.

The answers follow RFC 9083 (objects), RFC 7095 (contact cards) and RFC 9224 (bootstrap files). They hold
what look-ups meet in practice: an abuse contact nested in an entity, one on the organisation only, and
none that can be used.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desk.practice.answer import Answer, Ask

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, object]
_Range = ipaddress.IPv4Network | ipaddress.IPv6Network
_TYPE = (("Content-Type", "application/rdap+json"),)
_CHANGED = "2026-05-01T08:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One registered range with the country that each source gives for it."""

    cidr: str
    handle: str
    holder: str
    domain: str
    registered: str
    """Country in the registry."""
    voters: tuple[str, str]
    """Country in each of the two country files."""
    asn: int
    contact: str
    """`nested`, `organisation` or `none`."""

    @property
    def first(self) -> str:
        """Give the first address."""
        return str(ipaddress.ip_network(self.cidr)[0])

    @property
    def last(self) -> str:
        """Give the last address."""
        return str(ipaddress.ip_network(self.cidr)[-1])


NETWORKS = (
    Network(
        cidr="127.0.0.0/25",
        handle="LEVAIN-NET",
        holder="Levain Hosting",
        domain="levain.example",
        registered="NL",
        voters=("NL", "NL"),
        asn=64496,
        contact="nested",
    ),
    Network(
        cidr="127.0.0.128/26",
        handle="BASKET-NET",
        holder="Proofing Basket Networks",
        domain="basket.example",
        registered="DE",
        voters=("DE", "FR"),
        asn=64497,
        contact="organisation",
    ),
    Network(
        cidr="127.0.0.192/26",
        handle="BENCH-NET",
        holder="Bench Scraper Servers",
        domain="bench.example",
        registered="SE",
        voters=("SE", "SE"),
        asn=64498,
        contact="none",
    ),
    Network(
        cidr="192.0.2.0/24",
        handle="LOAF-NET",
        holder="Loaf Hosting",
        domain="loaf.example",
        registered="US",
        voters=("CA", "US"),
        asn=64499,
        contact="nested",
    ),
)
DOMAINS = {
    "crumb.example": "Oven Door Registrar",
    "crust.example": "Oven Door Registrar",
    "starter.example": "Second Rise Names",
    "loaf.example": "Second Rise Names",
}
REGISTRARS = {
    "Oven Door Registrar": ("9991", "abuse@oven-door.example"),
    "Second Rise Names": ("9992", "abuse@second-rise.example"),
}


def answer(ask: Ask) -> Answer:
    """Give the RDAP server's answer to one request (RFC 9082: /ip, /autnum, /domain, /help)."""
    kind, _, rest = ask.path.strip("/").partition("/")
    if kind == "help":
        return _json(
            {"notices": [{"title": "Help", "description": ["The practice registry, loopback only."]}]}
        )
    found = {"ip": _ip, "autnum": _autnum, "domain": _domain}.get(kind, _nothing)(rest, ask.origin)
    if found is None:
        return _json(
            {"errorCode": 404, "title": "Not found", "description": ["No such object here."]}, status=404
        )
    return _json(found)


def _nothing(_rest: str, _origin: str) -> Json | None:
    return None


def _json(body: Json, *, status: int = 200) -> Answer:
    whole = {"rdapConformance": ["rdap_level_0", "cidr0"], **body}
    return Answer(status=status, headers=_TYPE, body=json.dumps(whole, indent=1).encode())


def find_network(address: str) -> Network | None:
    """Give the registered range around an address or a range."""
    try:
        wanted = ipaddress.ip_network(address, strict=False)
    except ValueError:
        return None
    return next((one for one in NETWORKS if _holds(ipaddress.ip_network(one.cidr), wanted)), None)


def _holds(known: _Range, wanted: _Range) -> bool:
    if isinstance(known, ipaddress.IPv4Network) and isinstance(wanted, ipaddress.IPv4Network):
        return wanted.subnet_of(known)
    return False


def _ip(rest: str, origin: str) -> Json | None:
    """RFC 9083, 5.4: the IP network object."""
    network = find_network(rest)
    if network is None:
        return None
    prefix, _, length = network.cidr.partition("/")
    return {
        "objectClassName": "ip network",
        "handle": network.handle,
        "startAddress": network.first,
        "endAddress": network.last,
        "ipVersion": "v4",
        "name": network.handle,
        "type": "ASSIGNED PA",
        "country": network.registered,
        "status": ["active"],
        "cidr0_cidrs": [{"v4prefix": prefix, "length": int(length)}],
        "entities": _network_entities(network),
        "events": [{"eventAction": "last changed", "eventDate": _CHANGED}],
        "links": [_self_link(f"{origin}/ip/{network.cidr}")],
    }


def _autnum(rest: str, origin: str) -> Json | None:
    """RFC 9083, 5.5: the autonomous system number object."""
    for network in NETWORKS:
        if rest == str(network.asn):
            return {
                "objectClassName": "autnum",
                "handle": f"AS{network.asn}",
                "startAutnum": network.asn,
                "endAutnum": network.asn,
                "name": network.handle.replace("-NET", "-AS"),
                "country": network.registered,
                "entities": _network_entities(network),
                "links": [_self_link(f"{origin}/autnum/{network.asn}")],
            }
    return None


def _domain(rest: str, origin: str) -> Json | None:
    """RFC 9083, 5.3: the domain object."""
    name = rest.lower().rstrip(".")
    if name not in DOMAINS:
        return None
    registrar = DOMAINS[name]
    number, mailbox = REGISTRARS[registrar]
    return {
        "objectClassName": "domain",
        "handle": f"{name.partition('.')[0].upper()}-EXAMPLE",
        "ldhName": name,
        "status": ["active"],
        "nameservers": [{"objectClassName": "nameserver", "ldhName": f"ns1.{name}"}],
        "entities": [
            _entity(
                f"REG-{number}",
                registrar,
                ["registrar"],
                publicIds=[{"type": "IANA Registrar ID", "identifier": number}],
                entities=[_entity(f"ABUSE-{number}", f"{registrar} abuse desk", ["abuse"], mailbox)],
            )
        ],
        "events": [{"eventAction": "registration", "eventDate": "2019-03-04T00:00:00Z"}],
        "links": [_self_link(f"{origin}/domain/{name}")],
    }


def _network_entities(network: Network) -> list[Json]:
    """Give the entities of a network; where the abuse contact stands differs from one to the next."""
    name, domain = network.handle.removesuffix("-NET"), network.domain
    technical = _entity(f"{name}-TECH", f"{network.holder} engineers", ["technical"], f"noc@{domain}")
    if network.contact == "nested":
        abuse = _entity(f"{name}-ABUSE", f"{network.holder} abuse desk", ["abuse"], f"abuse@{domain}")
        return [_entity(f"{name}-ORG", network.holder, ["registrant"], entities=[abuse]), technical]
    if network.contact == "organisation":
        return [_entity(f"{name}-ORG", network.holder, ["registrant", "abuse"], f"abuse@{domain}"), technical]
    private = _entity(f"{name}-ABUSE", "Redacted for privacy", ["abuse"], "none@invalid.invalid")
    return [_entity(f"{name}-ORG", network.holder, ["registrant"]), private]


def _entity(handle: str, name: str, roles: list[str], mailbox: str = "", **more: object) -> Json:
    """RFC 9083, 5.1: the entity object, with a jCard (RFC 7095)."""
    kind = "org" if "registrant" in roles or "registrar" in roles else "group"
    card: list[list[object]] = [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", name],
        ["kind", {}, "text", kind],
    ]
    if mailbox:
        card.append(["email", {}, "text", mailbox])
    return {
        "objectClassName": "entity",
        "handle": handle,
        "roles": roles,
        "vcardArray": ["vcard", card],
        **more,
    }


def _self_link(href: str) -> Json:
    return {"value": href, "rel": "self", "href": href, "type": "application/rdap+json"}


def write_bootstrap(folder: Path, origin: str) -> None:
    """Write the IANA-form files that send every practice look-up to the server at `origin`."""
    keys = {
        "ipv4.json": ["127.0.0.0/8", "192.0.2.0/24"],
        "ipv6.json": ["::1/128", "2001:db8::/32"],
        "asn.json": ["64496-64511"],
        "dns.json": ["example"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, entries in keys.items():
        body = {
            "version": "1.0",
            "publication": _CHANGED,
            "description": "Practice bootstrap, loopback only",
            "services": [[entries, [origin + "/"]]],
        }
        (folder / name).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def write_country_files(folder: Path) -> tuple[Path, Path]:
    """Write the two voters in the text form of tor-geoipdb: first and last address as numbers, country."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = (folder / "country-one.txt", folder / "country-two.txt")
    for voter, path in enumerate(paths):
        lines = [
            f"{int(ipaddress.ip_address(one.first))},{int(ipaddress.ip_address(one.last))},{one.voters[voter]}"
            for one in NETWORKS
        ]
        path.write_text("\n".join(["# Practice country ranges", *lines]) + "\n", encoding="utf-8")
    return paths


def write_asn_file(folder: Path) -> Path:
    """Write the AS ranges in iptoasn's form: first, last, number, country, name, parted by tabs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "asn.tsv"
    lines = [
        "\t".join((one.first, one.last, str(one.asn), one.registered, one.holder.upper())) for one in NETWORKS
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
