"""Jobs: one file that says all of a release, and one command that makes it, step by step."""
