"""How networks and teachers learn from rows, for certificates that list DP-SGD, votes or embeddings.

Reading order: `clipping` (sums over rows, and functions that see rows), `steps` (how they are counted), `dpsgd` (steps
over closed rows), `teachers` (votes), `embedding` (sums of features), `event` (what is charged). What it costs is in
the ring `dpsynth.prices`.
"""
