"""The kinds of constraints, by what they are about."""
