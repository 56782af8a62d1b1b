"""The first ring: what every certificate stands on.

Reading order: `unit` (who is protected), `intake` (the wall round all that touches rows), `columns` (values, whatever
container holds them), `ids` (whose row is whose), `bounding` (at most so many rows a unit), `bounded` (rows that have
been through it), `codes` (a public cell for each value); `noise` (how it is drawn), `gaussian_dp`, `cost`, `budget`
(what charges come to, and the filter); `rows`, `sensitive` (exact values, closed to reading), `counting`, `table`
(counts, and how far a unit moves them); `events` (what may be done), `account` (what a run may spend), `accountant`
(reserve, record, then grant).
"""
