"""The trusted kernel: everything a reviewer must read to believe a certificate.

Reading order: `unit` (who is protected), `events` (what may be done), `curves` (what it costs), `noise` (how it is
drawn), `sensitive` and `rows` (what may be computed), `dpsgd` and `teachers` (how networks learn), `foreign` (how
programs that are not ours are run); then what is remembered: `chain` (lines and their hashes), `policy` (what an owner
asks), `account` (what lines amount to, and which may follow), `store` (where they are kept), `book` (as one process has
read them), `ledger` and `linking` (what can be done); and `accountant` (reserve, record, then grant).
"""
