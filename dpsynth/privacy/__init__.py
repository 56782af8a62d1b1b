"""The trusted kernel: everything a reviewer must read to believe a certificate.

Reading order: `unit` (who is protected), `events` (what may be done), `curves` (what it costs), `noise` (how it is
drawn), `sensitive` (what may be computed), `ledger` (what is remembered), `accountant` (check, record, then grant).
"""
