"""The case log: records, database, ledger, keys, errors and configuration."""
