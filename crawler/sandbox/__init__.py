"""Hard pages are parsed here, in a process of their own that a page can only hurt for itself."""
