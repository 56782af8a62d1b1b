"""The second ring, for certificates that list DP-SGD, votes or embeddings: how networks and teachers learn.

Reading order: `clipping` (sums over rows, and functions that see rows), `steps` (how they are counted), `dpsgd` (steps
over closed rows), `teachers` (votes), `embedding` (sums of features), `event` (what is charged); then the price:
`loss_grid`, `pld` (privacy loss distributions), `gdp_upper_bound` (a Gaussian curve above them, and the proof that one
filter holds all).
"""
