"""The site's control pages: a surely missing sibling and the root, whose blocks are the site's own frame."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.exceptions import DownloadFailedError, IgnoreRequest

from caselog.errors import RefusedError
from crawler.reading.address import sibling_probe

if TYPE_CHECKING:
    from scrapy import Spider

    from caselog.store.frontier import Pending
    from crawler.crawl.judge import Judge
    from crawler.crawl.site_state import SiteState


async def fetch_controls(spider: Spider, site: SiteState, row: Pending, judge: Judge) -> frozenset[bytes]:
    """Return the block tags of the control pages of this address, asking for those not asked yet.

    One missing sibling is asked for each pattern and the root once a crawl; a page that was itself asked is
    no control. A control that cannot be had leaves the frame as it is.
    """
    async with site.control_lock:
        wanted = {}
        if row.pattern not in site.controls:
            wanted[row.pattern] = sibling_probe(row.url, secrets.token_hex(6))
        parts = urlsplit(row.url)
        root = f"{parts.scheme}://{parts.netloc}/"
        if "root" not in site.controls and row.url != root:
            wanted["root"] = root
        frame: set[bytes] = set()
        for name, url in wanted.items():
            site.controls.add(name)
            frame |= await _tags_at(spider, url, site, judge)
        site.frame |= frame
        return frozenset(frame)


async def _tags_at(spider: Spider, url: str, site: SiteState, judge: Judge) -> set[bytes]:
    meta = {"download_slot": site.tag, "read_errors": True, "is_control": True}
    request = Request(url, dont_filter=True, meta=meta)
    try:
        response = await spider.crawler.engine.download_async(request)
        if not response.body or 300 <= response.status < 400:
            return set()
        reading = await judge.read(response, response.meta["fetch"], site=site.tag)
    except (IgnoreRequest, DownloadFailedError, RefusedError):
        return set()
    return {tag for tag in reading.tags if tag}
