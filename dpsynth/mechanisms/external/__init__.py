"""Programs that are not ours, run under the same account."""
