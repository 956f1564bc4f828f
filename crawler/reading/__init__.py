"""Reading a page: blocks, links, rules and fingerprints, without input or output."""
