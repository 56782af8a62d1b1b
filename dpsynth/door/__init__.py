"""The door: rows come in here, and counts and closed rows are all that leaves. Read for every certificate.

Reading order: `columns` (values, whatever container holds them), `ids` (whose row is whose), `codes` (a public cell for
each value), `bounding` (at most so many rows a unit), `keeping` (which rows of a table are kept), `shares` (the same on
other machines), `bounded` (rows that have been through it), `counting` (the one kernel that counts), `table` (counts as
Sensitive values, with how far a unit moves them; rows as SensitiveRows), `sizes` (how many units have how many rows),
`ties` (whose each row of several tables is), `linked` (what it says, with the rows that it hangs on and follows).
"""
