"""Figures that gate nothing, the least noise for a plan, and what an owner asks of every run (its policy)."""
