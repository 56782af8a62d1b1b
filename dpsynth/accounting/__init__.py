"""Figures beside the filter's, the least noise for a plan, and what an owner asks of every run."""
