"""Numbered places of workers, held by a lock that dies with the process."""
