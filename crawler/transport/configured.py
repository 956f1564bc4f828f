"""Make the transport of a crawl as Scrapy's settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.transport.client import Transport
from crawler.transport.fetch import Limits
from crawler.transport.pace import fresh_pace
from crawler.transport.tor import TorControl

if TYPE_CHECKING:
    from scrapy.settings import BaseSettings

NEUTRAL_USER_AGENT = "Mozilla/5.0 (compatible)"


def transport_from(settings: BaseSettings) -> Transport:
    """Make a transport as ``settings`` say; a workspace counts as live unless they say practice.

    ``LEADLINE_KEEPER`` is the process's own `Keeper`, where several processes work on one database.
    """
    usual = Limits()
    return Transport(
        practice=settings.getbool("LEADLINE_PRACTICE", False),  # noqa: FBT003  # Scrapy's signature
        user_agent=settings.get("USER_AGENT") or NEUTRAL_USER_AGENT,
        nameservers=settings.getlist("LEADLINE_RESOLVER"),
        tor_socks=settings.get("LEADLINE_TOR_SOCKS"),
        tor_control=_tor_control(settings),
        vantage=settings.get("LEADLINE_VANTAGE"),
        ca_file=settings.get("LEADLINE_CA_FILE"),
        may_read_invalid_tls=settings.get("LEADLINE_TLS_INVALID", "read") == "read",
        limits=Limits(
            connect_s=settings.getfloat("LEADLINE_CONNECT_S", usual.connect_s),
            idle_s=settings.getfloat("LEADLINE_IDLE_S", usual.idle_s),
            total_s=settings.getfloat("LEADLINE_TOTAL_S", usual.total_s),
            onion_total_s=settings.getfloat("LEADLINE_ONION_TOTAL_S", usual.onion_total_s),
            page_bytes=settings.getint("LEADLINE_PAGE_BYTES", usual.page_bytes),
        ),
        pace=fresh_pace(
            delay_s=settings.getfloat("DOWNLOAD_DELAY"),
            per_host=settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN"),
            keeper=settings.get("LEADLINE_KEEPER"),
        ),
    )


def _tor_control(settings: BaseSettings) -> TorControl | None:
    socks, control = settings.get("LEADLINE_TOR_SOCKS"), settings.get("LEADLINE_TOR_CONTROL")
    return TorControl(control, socks=socks) if socks and control else None
