"""Audits of a mechanism: lower bounds on what it leaks, and whether the noise is what was paid for."""
