"""The third ring of the kernel: what is remembered of all runs on a data set, across processes and days."""
