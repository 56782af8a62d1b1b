"""A ring of its own, for certificates that list another program: how one is run.

Reading order: `run` (what it is given, how it ends, what is taken back), `external` (what is charged).
"""
