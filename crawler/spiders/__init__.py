"""The spiders: `leads` follows confirmed leads, `checks` looks at evidence again."""
