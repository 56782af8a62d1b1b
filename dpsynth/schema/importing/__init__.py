"""Schemas from what organisations already have: a reader for each form, and what all share."""
