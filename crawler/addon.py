"""The add-on that carries a workspace's settings into Scrapy's."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from caselog.workspace import open_workspace
from crawler.transport.tor import tor_socks_of

if TYPE_CHECKING:
    from scrapy.settings import BaseSettings

PRIORITY = 90
"""Above the project's and the spiders' own settings, below the transport's pins."""
MOST_UNDER_WAY = 6
"""Times the hosts asked at once: slow ones stand aside (`crawler.crawl.lanes`); Scrapy only sees a cap."""
PINNED = 1000
"""The mark of a practice workspace comes from its database and from nowhere else."""


class WorkspaceAddon:
    """Set politeness and limits as the workspace's `[crawl]` and `[network]` say."""

    def update_settings(self, settings: BaseSettings) -> None:
        """Write the workspace's values into `settings`.

        Raises:
            ConfigError: The workspace's settings are wrong.
        """
        workspace = open_workspace(Path(settings["LEADLINE_WORKSPACE"]))
        workspace.log.close()
        config, crawl = workspace.config, workspace.config.crawl
        settings.set("LEADLINE_PRACTICE", workspace.practice, priority=PINNED)
        values = {
            "DOWNLOAD_DELAY": crawl.delay_seconds,
            "CONCURRENT_REQUESTS_PER_DOMAIN": crawl.per_host,
            "CONCURRENT_REQUESTS": MOST_UNDER_WAY * crawl.hosts_at_once * crawl.per_host,
            "LEADLINE_ROBOTS": crawl.robots,
            "USER_AGENT": user_agent(config.network.user_agent, contact=config.authority.contact),
            "LEADLINE_PAGE_BYTES": crawl.page_bytes,
            "LEADLINE_RESOLVER": list(config.network.resolver),
            "LEADLINE_TOR_SOCKS": tor_socks_of(workspace),
            "LEADLINE_TOR_CONTROL": config.network.tor.control,
        }
        for name, value in values.items():
            settings.set(name, value, priority=PRIORITY)


def user_agent(template: str, *, contact: str) -> str:
    """Return the User-Agent: quiet by default; `{version}` and `{contact}` are filled in."""
    return template.replace("{version}", version("leadline")).replace("{contact}", contact)
