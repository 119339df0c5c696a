"""Validation, estimation and editing: pure functions on matrices (series x intervals). No I/O, no clock, no ids.

Energy is conserved: between two register reads the intervals of a series plus the residuals named in findings equal
the register difference, to one count of the register.

Source: DESIGN section 4, step 6; CPUC D.98-12-080 Attachment VEE as quoted in the research note on VEE.
"""
