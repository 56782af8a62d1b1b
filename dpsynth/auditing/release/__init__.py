"""Audits of a release beside a holdout: verdicts under a policy."""
