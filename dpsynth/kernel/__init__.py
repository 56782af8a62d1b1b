"""The kernel: noise, what it costs, and the refusal to go over a budget. Read for every certificate.

Reading order: `unit` (who is protected), `wall` (round all that touches rows), `noise` (how it is drawn),
`gaussian_dp`, `cost`, `budget` (what charges come to, and the filter), `rows`, `sensitive` (exact values, closed to
reading), `events` (what may be done), `account` (what a run may spend), `accountant` (reserve, record, then grant).
"""
