"""Corrections: billed data that changed, weighed, decided by a person once per customer and cause, and rebilled.

An issued bill is never rewritten. What stands it on changes: a late reading, an edit, a multiplier, a rate entered
back-dated. The changed days go on the queue; each touched bill is made again, without writing, and what it would differ
by is weighed against tolerances. A person then sees one case per cause, whole, and decides; a corrected bill is a new
version that supersedes, an adjustment links both, and the ledger takes one back and books the other.
"""
