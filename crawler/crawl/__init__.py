"""Following leads: what is asked next, what an answer is, how it is recorded."""
