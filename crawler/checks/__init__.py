"""Looking again: what later looks at evidence say of its removal."""
