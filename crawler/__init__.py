"""The Scrapy project: from leads to pages, from pages to evidence, and checks."""
