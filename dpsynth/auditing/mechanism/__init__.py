"""Audits of a mechanism: bounds on what it leaks, and whether its noise is what was paid for."""
