"""The demo: the practice web and the whole chain on it, with the commands that a hotline types.

Each command runs as a user would run it, in a process of its own. Only the later rounds of checks run here,
because they move a practice clock on: a removal is believed after a day, not after a minute.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caselog.errors import SourceError
from desk.practice.servers import PracticeWeb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Run = Callable[[Sequence[str], str, Mapping[str, str]], subprocess.CompletedProcess[str]]
    """Takes a command's words, standard input and environment."""

REMOVED = (("thread-3", "forum"), ("thread-1", "mirror"), ("paste-2", "paste"))
"""What is taken down during the demo: a 404, a soft 404, and a redirect to the home page."""
ROUND_HOURS = (8, 20, 34, 58, 82)
"""When the later rounds look, in practice hours after the first."""
PASSWORD = "Bread-and-Butter-1"  # noqa: S105 - of a practice workspace, which asks for none
SETTINGS = """# Settings of the demo's practice workspace.
[authority]
organisation = "Practice Hotline"
country = "NL"
contact = "desk@hotline.example"
legal_basis = "practice"

[network]
resolver = {resolver}

[crawl]
delay_seconds = 0.02
per_host = 4
pages_per_lead = 200

[enrich]
mode = "all"
country = {country}
asn = {asn}
rdap_bootstrap = {bootstrap}

[notices]
abroad = "notify"
hold_unknown = false
preservation = "off"
"""


@dataclass(slots=True)
class Demo:
    """One run of the demo.

    Args:
        folder: Where its workspace and files go.
        say: Prints one line for the person who watches.
        run: Runs a command to its end.
    """

    folder: Path
    say: Callable[[str], None]
    run: Run
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        """Return the folder of the practice workspace."""
        return self.folder / "workspace"

    def prepare(self, web: PracticeWeb) -> None:
        """Write the settings and the files that the commands read."""
        self.workspace.mkdir(parents=True, mode=0o700)
        settings = SETTINGS.format(
            resolver=json.dumps([web.nameserver]),
            country=json.dumps([str(path) for path in web.country_files]),
            asn=json.dumps(str(web.asn_file)),
            bootstrap=json.dumps(str(web.bootstrap_folder)),
        )
        (self.workspace / "leadline.toml").write_text(settings, encoding="utf-8")
        (self.folder / "terms.csv").write_text(web.terms_csv(), encoding="utf-8")
        leads = [
            f"{address},R-{number},guide,A1" for number, address in enumerate(web.addresses.values(), start=1)
        ]
        table = "\n".join(
            ("url,report,category,classification", *leads, "gopher://bread.example/,R-9,guide,A1")
        )
        (self.folder / "leads.csv").write_text(table + "\n", encoding="utf-8")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("LEADLINE_")}
        self.environment |= {"LEADLINE_WORKSPACE": str(self.workspace), "NO_COLOR": "1"}

    def command(self, user: str, *words: str, stdin: str = "", statuses: tuple[int, ...] = (0,)) -> None:
        """Show a command, run it, and show what it prints.

        Raises:
            SourceError: It ended with another status than expected.
        """
        done = self._run(user, words, stdin)
        shown = " ".join(
            f'"{word}"' if " " in word else Path(word).name if "/" in word else word for word in words
        )
        self.say(f"\n$ leadline --user {user} {shown}")
        for line in (done.stdout + done.stderr).rstrip().splitlines():
            self.say(f"  {line.rstrip()}")
        if done.returncode not in statuses:
            raise SourceError(
                f"The demo stopped: `{words[0]}` ended with {done.returncode}.", "Run leadline doctor."
            )

    def rows(self, user: str, *words: str) -> list[dict[str, Any]]:
        """Return what a list command prints, without showing it."""
        lines = self._run(user, ("--json", *words), "").stdout.splitlines()
        return [row for row in map(json.loads, lines) if "id" in row]

    def _run(self, user: str, words: tuple[str, ...], stdin: str) -> subprocess.CompletedProcess[str]:
        return self.run(words, stdin, self.environment | {"LEADLINE_USER": user})

    def later_round(self, hours: float) -> Mapping[str, Any]:
        """Look at all evidence with the practice clock moved on, and return the counts."""
        from caselog.workspace import open_workspace
        from desk.access import now
        from desk.call import Call, seal
        from desk.commands.checks import look_again
        from desk.output import Output

        call = Call(folder=self.workspace, user="ada", out=Output(quiet=True))
        workspace = open_workspace(self.workspace)

        def practice_clock() -> Any:
            return now() + timedelta(hours=hours)

        try:
            counts = look_again(call, workspace, now=practice_clock(), everything=True, clock=practice_clock)
            seal(workspace)
        finally:
            workspace.log.close()
        return counts


def run_program(
    words: Sequence[str], stdin: str, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command of leadline as a program of its own and return what it printed."""
    return subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "desk.cli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def run_demo(
    folder: Path,
    say: Callable[[str], None],
    wait: Callable[[Demo], None] | None = None,
    run: Run = run_program,
) -> dict[str, Any]:
    """Run the whole chain on the practice web and return what it showed.

    Args:
        folder: An empty or new folder for everything that the demo writes.
        say: Prints one line.
        wait: Called before the practice web is closed, to leave it open.
        run: Runs a command: its words, standard input and environment.

    Raises:
        SourceError: A command ended in an unexpected way.
    """
    with PracticeWeb(folder / "practice-web") as web:
        demo = Demo(folder=folder, say=say, run=run)
        demo.prepare(web)
        _intake(demo)
        _crawl_and_notify(demo)
        removed = _take_down_and_check(demo, web)
        demo.command("ada", "ledger", "verify")
        found = _figures(demo, removed)
        if wait:
            wait(demo)
    return found


def _intake(demo: Demo) -> None:
    demo.say("1. A practice workspace, three people, the operator's terms, and today's reports")
    demo.command("cai", "init", "--practice")
    for name, role in (("cai", "supervisor"), ("ada", "analyst"), ("ben", "officer")):
        demo.command("cai", "users", "add", name, "--role", role, "--password-stdin", stdin=PASSWORD + "\n")
    demo.command("ada", "terms", "import", str(demo.folder / "terms.csv"))
    demo.command("ada", "leads", "add", str(demo.folder / "leads.csv"), "--confirm", statuses=(1,))


def _crawl_and_notify(demo: Demo) -> None:
    demo.say("\n2. Follow the leads, find out who hosts the pages, write the notices")
    demo.command("ada", "crawl")
    demo.command("ada", "enrich")
    demo.command("ada", "hosting", "list")
    demo.command("ada", "evidence", "confirm", "--all", "--reason", "read by two people")
    demo.command("ada", "notices", "draft", statuses=(0, 1))
    demo.say("\n   Whoever drafts a notice may not release it:")
    demo.command("ada", "notices", "release", "--all", statuses=(3,))
    demo.command("ben", "notices", "release", "--all", statuses=(0, 1))
    demo.command("ben", "notices", "export", "--to", str(demo.folder / "notices"))
    demo.command("ada", "notices", "list")


def _take_down_and_check(demo: Demo, web: PracticeWeb) -> Mapping[str, Any]:
    demo.say("\n3. Is it gone? All pages stand; then the hosts remove three documents")
    demo.command("ada", "checks", "run", "--all")
    for name, site in REMOVED:
        web.remove(name, site=site)
    demo.say("\n   Three documents were removed: one says 404, one a soft 404, one sends visitors home.")
    counts: Mapping[str, Any] = {}
    for hours in ROUND_HOURS:
        counts = demo.later_round(hours)
        states = ", ".join(f"{name} {number}" for name, number in counts["states"].items())
        demo.say(f"   practice clock + {hours:>2} h: {states}")
    return counts


def _figures(demo: Demo, removed: Mapping[str, Any]) -> dict[str, Any]:
    hosts = {row["host"]: row for row in demo.rows("ada", "hosting", "list")}
    levels = [f"{row['country'] or '?'} ({row['country_level']})" for row in hosts.values()]
    gone = sum(number for state, number in removed["states"].items() if state.startswith("REMOVED"))
    return {
        "leads": len(demo.rows("ada", "leads", "list")),
        "pages": len(demo.rows("ada", "pages", "list")),
        "evidence": len(demo.rows("ada", "evidence", "list")),
        "hosts": ", ".join(sorted(levels)),
        "notices": len(demo.rows("ada", "notices", "list")),
        "removals": gone,
    }
