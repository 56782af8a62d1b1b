"""The third ring, for claims over many runs: what is remembered of them, across processes and days.

Reading order: `names` (of events, in files), `chain` (lines and their hashes), `shared`
(what lines amount to beyond one run), `store` (where they are kept), `reader` (as one process has read them), `linking`
(two accounts made one), `ledger` (what can be done), `opening` (the account of a fit).
"""
