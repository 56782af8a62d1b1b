"""Labelled grey images as closed rows."""
