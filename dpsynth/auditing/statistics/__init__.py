"""Exact intervals and tests on which the audits stand."""
