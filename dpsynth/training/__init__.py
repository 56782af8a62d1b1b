"""The second ring of the kernel: how networks and teachers learn from closed rows, and what that costs."""
