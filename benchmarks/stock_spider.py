"""The yardstick: stock Scrapy with LinkExtractor that follows a site and records nothing.

`python -m benchmarks.stock_spider URL PAGES` prints the pages it fetched.
"""

from __future__ import annotations

import sys
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors import LinkExtractor


class StockSpider(scrapy.Spider):
    """Follow every link of the site, as Scrapy's own documentation shows it."""

    name = "stock"

    def __init__(self, url: str, pages: int) -> None:
        super().__init__()
        self.start_urls = [url]
        self.allowed_domains = [url.split("/")[2].split(":", maxsplit=1)[0]]
        self.custom_pages = pages
        self.seen = 0
        self._extract = LinkExtractor(allow_domains=[url.split("/", 3)[2]])

    def parse(self, response: Any) -> Any:
        self.seen += 1
        for link in self._extract.extract_links(response):
            yield response.follow(link, self.parse)


def main() -> None:
    """Crawl and print how many pages were seen."""
    url, pages = sys.argv[1], int(sys.argv[2])
    process = CrawlerProcess(
        {
            "LOG_LEVEL": "ERROR",
            "CONCURRENT_REQUESTS": 16,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": False,
            "TELNETCONSOLE_ENABLED": False,
            "CLOSESPIDER_PAGECOUNT": pages,
            "DEPTH_LIMIT": 0,
        }
    )
    crawler = process.create_crawler(StockSpider)
    process.crawl(crawler, url=url, pages=pages)
    process.start()
    print(crawler.stats.get_value("response_received_count", 0))


if __name__ == "__main__":
    main()
