"""Quiet hours: when nothing is asked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from caselog.config import load_config
from caselog.errors import ConfigError
from crawler.quiet_hours import quiet_until
from tests.crawl_samples import crawl, html, page_rows, work_at
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("now", "hours", "until"),
    [
        ("2026-05-01 07:59", "08:00-18:00", None),
        ("2026-05-01 18:00", "08:00-18:00", None),
        ("2026-05-01 12:00", "", None),
        ("2026-05-01 08:00", "08:00-18:00", "2026-05-01 18:00"),
        ("2026-05-01 17:59", "08:00-18:00", "2026-05-01 18:00"),
        ("2026-05-01 23:10", "22:30-06:00", "2026-05-02 06:00"),
        ("2026-05-02 05:59", "22:30-06:00", "2026-05-02 06:00"),
        ("2026-05-02 06:00", "22:30-06:00", None),
        ("2026-05-01 12:00", "00:00-00:00", "2026-05-02 00:00"),
        ("2026-05-01 13:30", "08:00-12:00, 13:00-14:00", "2026-05-01 14:00"),
        ("2026-05-01 12:30", "08:00-12:00,13:00-14:00", None),
        ("2026-05-01 11:00", "12:00-14:00, 08:00-12:00", "2026-05-01 14:00"),
        ("2026-05-01 23:00", "22:00-02:00, 01:00-06:00", "2026-05-02 06:00"),
        ("2026-05-01 23:00", "12:00-00:00, 00:00-12:00", "2026-05-02 12:00"),
    ],
)
def test_quiet_hours_are_spans_of_the_day(now: str, hours: str, until: str | None) -> None:
    found = quiet_until(datetime.fromisoformat(now), hours)

    assert found == (datetime.fromisoformat(until) if until else None)


@pytest.mark.parametrize("text", ["8-18", "08:00", "08:00-25:00", "08:60-09:00", "08:00-18:00,", "always"])
def test_a_slip_in_the_quiet_hours_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "leadline.toml").write_text(f'[crawl]\nquiet_hours = "{text}"\n')

    with pytest.raises(ConfigError, match="quiet_hours"):
        load_config(tmp_path)


def test_nothing_is_asked_in_quiet_hours(tmp_path: Path) -> None:
    with WebServer({"/": html("root")}) as server:
        work = work_at(tmp_path, quiet_hours="00:00-00:00")
        work.add_leads(server.url("/"))
        summary = crawl(work)
        looked = work.run("checks", "run", "--all")

        assert server.paths == []
        assert (summary["pages"], page_rows(work)) == (0, [])
        assert "quiet" in looked.out + looked.err
