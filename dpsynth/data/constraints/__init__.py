"""Constraints in rows: what is modelled in place of columns that follow from each other."""
