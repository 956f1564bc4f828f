"""Notices and lists that leave the house."""
