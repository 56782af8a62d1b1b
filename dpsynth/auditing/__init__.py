"""Attacks on releases, and tests of mechanisms."""
