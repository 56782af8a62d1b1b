"""Synthetic images beside real ones."""
