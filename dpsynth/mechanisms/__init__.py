"""What to measure, and what to make of the answers."""
