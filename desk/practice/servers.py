"""The practice web as one thing: start it, read its addresses, remove a page, count the hits.

`python -m desk.practice.servers --folder DIR --port-file FILE` runs it in a process of its own. It writes
its addresses to FILE as JSON and takes one JSON object a line on its standard input, answering one line
each: `{"remove": "thread-3", "site": "forum"}`, `{"restore": ...}`, `{"style": "soft", "site": "paste"}`,
`{"unname": "mirror.crust.example"}`, `{"rename": ...}`, `{"hits": true}`, `{"truth": true}`,
`{"stop": true}`. It ends when its input ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from desk.practice import registry
from desk.practice.answer import Style
from desk.practice.forum import Forum
from desk.practice.library import terms_csv, write_library
from desk.practice.mirror import Mirror
from desk.practice.names import NameServer, practice_zone
from desk.practice.paste import PasteSite, pastes_of
from desk.practice.truth import Document, as_json, documents
from desk.practice.wire import HitLog, LoopbackWeb, usable_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from desk.practice.wire import Site

HOSTS = {
    "forum": "forum.crumb.example",
    "mirror": "mirror.crust.example",
    "paste": "paste.starter.example",
    "registry": "rdap.practice.example",
}
OUTSIDE_HOST = "www.loaf.example"
"""A name whose answer is no loopback address: it may be looked up, and must never be contacted."""
_WANTED = {"forum": "127.0.0.2", "mirror": "127.0.0.130", "paste": "127.0.0.194", "registry": "127.0.0.1"}
_STYLES = {"forum": Style.NOT_FOUND, "mirror": Style.SOFT, "paste": Style.HOME}


class PracticeWeb:
    """All practice servers on loopback; use it as a context manager.

    `folder` receives the bootstrap, country and AS files. The same seed gives the same words.
    """

    def __init__(self, folder: Path, *, seed: int = 1) -> None:
        self._folder = folder
        self._library = write_library(seed)
        self._lock = threading.Lock()
        self._removed: frozenset[tuple[str, str]] = frozenset()
        self._styles = dict(_STYLES)
        self._sites: Mapping[str, Site] = {}
        self.hosts = {site: usable_address(address) for site, address in _WANTED.items()}
        """Site -> loopback address."""
        self.hits = HitLog()
        self._names = NameServer(practice_zone(self.hosts))
        self._web = LoopbackWeb(tuple(self.hosts.values()), lambda: self._sites, self.hits)

    def __enter__(self) -> PracticeWeb:
        self._rebuild()
        self._web.start()
        self._names.__enter__()
        registry.write_bootstrap(self.bootstrap_folder, f"http://{self.hosts['registry']}:{self.port}")
        registry.write_country_files(self._folder)
        registry.write_asn_file(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._names.__exit__(kind, error, trace)
        self._web.stop()

    @property
    def port(self) -> int:
        """Give the port that all sites share."""
        return self._web.port

    @property
    def addresses(self) -> dict[str, str]:
        """Give the lead address of each site by its name."""
        return {site: f"http://{HOSTS[site]}:{self.port}/" for site in _STYLES}

    @property
    def outside_address(self) -> str:
        """Give an address that the crawler must refuse, because it is not on loopback."""
        return f"http://{OUTSIDE_HOST}:{self.port}/"

    @property
    def nameserver(self) -> str:
        """Give the name server as `127.0.0.1:port`."""
        return self._names.address

    @property
    def bootstrap_folder(self) -> Path:
        """Give the folder with the IANA-form files."""
        return self._folder / "bootstrap"

    @property
    def country_files(self) -> tuple[Path, Path]:
        """Give the two country range files."""
        return self._folder / "country-one.txt", self._folder / "country-two.txt"

    @property
    def asn_file(self) -> Path:
        """Give the AS range file."""
        return self._folder / "asn.tsv"

    def terms_csv(self) -> str:
        """Give the terms file of the exercise."""
        return terms_csv()

    def truth(self) -> list[Document]:
        """Give what a perfect crawl would find now."""
        roots = {site: address.rstrip("/") for site, address in self.addresses.items()}
        return documents(self._library, roots=roots, removed=self._removed)

    def remove(self, name: str, *, site: str = "") -> None:
        """Take a thread or paste off a site; without a site, off forum or paste site by its name.

        Raises:
            ValueError: there is no such site or document.
        """
        self._change_removed(self._key(name, site), gone=True)

    def restore(self, name: str, *, site: str = "") -> None:
        """Put a removed thread or paste back.

        Raises:
            ValueError: there is no such site or document.
        """
        self._change_removed(self._key(name, site), gone=False)

    def answer_missing(self, site: str, style: Style) -> None:
        """Choose how a site answers for what is not there.

        Raises:
            ValueError: there is no such site.
        """
        if site not in self._styles:
            raise ValueError("no such practice site")
        with self._lock:
            self._styles[site] = style
            self._rebuild()

    def unname(self, host: str) -> None:
        """Take a name out of the DNS: from now on it does not exist."""
        self._names.zone.pop(host, None)

    def rename(self, host: str) -> None:
        """Put a practice name back into the DNS.

        Raises:
            ValueError: it is no practice name.
        """
        zone = practice_zone(self.hosts)
        if host not in zone:
            raise ValueError("no such practice name")
        self._names.zone[host] = zone[host]

    def _key(self, name: str, site: str) -> tuple[str, str]:
        site = site or ("paste" if name.startswith("paste-") else "forum")
        known = {(one.site, one.name) for one in self.truth()}
        if (site, name) not in known:
            raise ValueError("no such document on that practice site")
        return site, name

    def _change_removed(self, key: tuple[str, str], *, gone: bool) -> None:
        with self._lock:
            self._removed = self._removed | {key} if gone else self._removed - {key}
            self._rebuild()

    def _gone(self, site: str) -> frozenset[int]:
        return frozenset(int(name.partition("-")[2]) for where, name in self._removed if where == site)

    def _rebuild(self) -> None:
        """Make the sites anew; requests under way keep the ones that they have."""
        pastes = frozenset(
            one.name for one in pastes_of(self._library) if ("paste", one.name) in self._removed
        )
        styles = self._styles
        forum = Forum(self._library, removed=self._gone("forum"), style=styles["forum"]).answer
        mirror = Mirror(self._library, removed=self._gone("mirror"), style=styles["mirror"]).answer
        paste = PasteSite(self._library, removed=pastes, style=styles["paste"]).answer
        self._sites = {
            HOSTS["forum"]: forum,
            HOSTS["mirror"]: mirror,
            HOSTS["paste"]: paste,
            HOSTS["registry"]: registry.answer,
            self.hosts["registry"]: registry.answer,
        }

    def description(self) -> dict[str, object]:
        """Give all addresses and files as plain values for another process."""
        return {
            "addresses": self.addresses,
            "outside_address": self.outside_address,
            "nameserver": self.nameserver,
            "bootstrap_folder": str(self.bootstrap_folder),
            "country_files": [str(path) for path in self.country_files],
            "asn_file": str(self.asn_file),
            "hosts": self.hosts,
            "port": self.port,
        }


def obey(web: PracticeWeb, order: Mapping[str, object]) -> dict[str, object]:
    """Carry out one order from the standard input and give the answer to it.

    Raises:
        ValueError: the order is not known, or names what does not exist.
    """
    site = str(order.get("site", ""))
    acts = {
        "remove": lambda value: web.remove(value, site=site),
        "restore": lambda value: web.restore(value, site=site),
        "style": lambda value: web.answer_missing(site, Style(value)),
        "unname": web.unname,
        "rename": web.rename,
    }
    for name, act in acts.items():
        if name in order:
            act(str(order[name]))
            return {"done": name}
    if "hits" in order:
        return {"hits": web.hits.counts()}
    if "truth" in order:
        return {"truth": as_json(web.truth())}
    raise ValueError("this order is not known")


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _order_in(line: str) -> dict[str, object]:
    order = json.loads(line)
    return order if isinstance(order, dict) else {}


def _follow_orders(web: PracticeWeb) -> None:
    for line in sys.stdin:
        try:
            order = _order_in(line)
            if "stop" in order:
                return
            _say(obey(web, order))
        except ValueError as error:
            _say({"error": str(error)})


def main(arguments: list[str] | None = None) -> None:
    """Run the practice web until the standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m desk.practice.servers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="receives bootstrap, country and AS files")
    parser.add_argument("--port-file", type=Path, required=True, help="receives the addresses as JSON")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    with PracticeWeb(chosen.folder, seed=chosen.seed) as web:
        ready = chosen.port_file.with_name(chosen.port_file.name + ".new")
        ready.write_text(json.dumps(web.description()) + "\n", encoding="utf-8")
        ready.replace(chosen.port_file)  # whoever waits for the file finds it whole
        _follow_orders(web)


if __name__ == "__main__":
    main()
