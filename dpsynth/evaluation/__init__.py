"""Comparison of a release with real rows: internal figures."""
