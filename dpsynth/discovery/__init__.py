"""A ring of its own, for certificates that list a discovery: which values a column has, of more than one unit.

Reading order: `held` (how many units hold each value, closed), `discovery` (which of them are told, and what it costs).
"""
