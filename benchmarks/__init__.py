"""Benchmarks: what the project's figures are measured with."""
