"""The worker: durable jobs, the crawler process that they order about, and calls to crawl."""
