"""Scrapy settings of the project; what a workspace decides is set by `crawler.addon.WorkspaceAddon`.

`scrapy list` and `scrapy crawl leads` read the workspace from LEADLINE_WORKSPACE (default `./workspace`).
"""

from __future__ import annotations

import os

BOT_NAME = "leadline"
SPIDER_MODULES = ["crawler.spiders"]
LEADLINE_WORKSPACE = os.environ.get("LEADLINE_WORKSPACE", "workspace")

ADDONS = {"crawler.addon.WorkspaceAddon": 100, "crawler.transport.pin.TransportAddon": 200}
# Without Twisted's reactor: half the memory at start, and several runs in one process. The transport needs
# the plain selector loop (its byte budget sits in the socket object).
TWISTED_REACTOR_ENABLED = False
ASYNCIO_EVENT_LOOP = None
SCHEDULER = "crawler.crawl.frontier.Frontier"
LOG_ENABLED = False
LOG_INSTALL_ROOT_HANDLER = False
LOG_FORMATTER = "crawler.quiet.QuietFormatter"
STATS_DUMP = False

# The transport keeps the pace, the session says how many hosts are asked at once.
DOWNLOAD_DELAY = 1.0
CONCURRENT_REQUESTS_PER_DOMAIN = 1
CONCURRENT_REQUESTS = 128
LEADLINE_ROBOTS = "observe"

# The transport decides what these would do; each costs time for every page, or opens a door.
DOWNLOADER_MIDDLEWARES_BASE = {
    "crawler.robots.RobotsMiddleware": 100,
}
CONCURRENT_ITEMS = 1
"""No items are yielded; Scrapy would make this many tasks for each page."""
SPIDER_MIDDLEWARES_BASE: dict[str, int] = {}
EXTENSIONS_BASE = {"scrapy.extensions.corestats.CoreStats": 0}
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
COOKIES_ENABLED = False
"""No cookie is kept: we look as an outsider does."""
