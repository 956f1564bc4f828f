"""The records of a case: each is appended once and never changed.

An `id` is 0 until the store has appended the record. Times are aware UTC. Fields made by `sealed` hold
plain values here and are encrypted in the database; no field can hold the text of a page.
"""
