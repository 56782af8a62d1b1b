"""What training costs, for certificates that list it: mathematics, which sees no row and draws nothing.

Reading order: `loss_grid` (one step's privacy losses), `pld` (privacy loss distributions of many), `gdp_upper_bound` (a
Gaussian curve above them, and the proof that one filter holds all).
"""
