"""The synthesizers: they join schema, ledger, mechanism and codecs."""
