"""The front doors: schema, ledger, mechanism and codecs joined."""
