"""Figures that gate nothing: what a list of charges fixed beforehand comes to, and the least noise for a plan."""
