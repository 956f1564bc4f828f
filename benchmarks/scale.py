"""What one page, one check and one look-up cost: processor time, and bytes in the database by table.

`python -m benchmarks.scale [--pages N] [--postgresql]`. The figures behind docs/explanation/scale.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

from benchmarks.crawl import LEADLINE, local_site, timed, workspace
from caselog.store.engine import connect
from caselog.workspace import open_workspace
from desk.practice.demo import PASSWORD, Demo, run_program
from desk.practice.servers import PracticeWeb
from tests.servers.postgresql import postgresql_server


def table_bytes(url: str) -> dict[str, int]:
    """Return the bytes of each table with its indexes."""
    engine = connect(url, must_exist=True)
    by_table: dict[str, int] = {}
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            query = (
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        else:
            query = (
                "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s "
                "JOIN sqlite_master m ON m.name = s.name GROUP BY 1"
            )
        by_table.update({name: int(size) for name, size in connection.execute(sa.text(query))})
    engine.dispose()
    return dict(sorted(by_table.items(), key=lambda pair: -pair[1]))


def told(what: str, count: int, cpu_s: float, before: dict[str, int], after: dict[str, int]) -> None:
    """Print what one of `count` things cost."""
    grown = {name: size - before.get(name, 0) for name, size in after.items() if size > before.get(name, 0)}
    each = {name: round(size / count) for name, size in grown.items() if size / count >= 1}
    total = sum(grown.values()) / count
    print(
        f"{what}: {count}, {1000 * cpu_s / count:.2f} ms of processor time and {total:.0f} bytes each; {each}"
    )


def look_ups(rounds: int = 5) -> None:
    """Look the practice web's hosts up afresh some times, and print what a look-up costs."""
    with tempfile.TemporaryDirectory() as folder, PracticeWeb(Path(folder, "web")) as web:
        demo = Demo(folder=Path(folder), say=lambda _: None, run=run_program)
        demo.prepare(web)
        demo.command("cai", "init", "--practice")
        demo.command(
            "ada", "users", "add", "ada", "--role", "supervisor", "--password-stdin", stdin=PASSWORD + "\n"
        )
        demo.command("ada", "leads", "add", str(Path(folder, "leads.csv")), "--confirm", statuses=(1,))
        environment = demo.environment | {"LEADLINE_USER": "ada"}
        hosts = [word for name in web.addresses.values() for word in ("--host", urlsplit(name).hostname)]
        opened = open_workspace(demo.workspace)
        opened.log.close()
        before = table_bytes(opened.database_url())
        runs = [timed([*LEADLINE, "enrich", *hosts, "--refresh"], environment) for _ in range(rounds)]
        summaries = [json.loads(out.splitlines()[-1])["summary"] for _, _, out in runs]
        count = sum(one["looked_up"] for one in summaries)
        cpu_s = sum(one[0] for one in runs)
        told("enrich --refresh", count, cpu_s, before, table_bytes(opened.database_url()))
        print(
            f"  queries that left the house for each: {sum(one['queries'] for one in summaries) / count:.1f}"
        )


def main() -> None:
    """Crawl, check everything once, look hosts up, and print the cost of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        url = stack.enter_context(local_site(asked.pages))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = stack.enter_context(postgresql_server()) if asked.postgresql else ""
        environment = workspace(folder, url, asked.pages, database)
        opened = open_workspace(Path(environment["LEADLINE_WORKSPACE"]))
        opened.log.close()
        address = opened.database_url()
        sizes = [table_bytes(address)]
        for command in (["crawl"], ["checks", "run", "--all"]):
            cpu_s, _, out = timed([*LEADLINE, *command], environment)
            sizes.append(table_bytes(address))
            summary = json.loads(out.splitlines()[-1])["summary"]
            count = summary.get("pages", summary.get("checks"))
            told(" ".join(command), count, cpu_s, sizes[-2], sizes[-1])
    look_ups()


if __name__ == "__main__":
    main()
