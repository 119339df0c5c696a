"""The ledger of billing: what was charged, earned, accrued and deferred, in balanced entries that are never altered.

It knows no payment: payments, credit and collections, deposits and the general ledger are the utility's customer
information system's. What it holds is what that system takes over: each charge, each correction of one, the estimate of
what is earned and not billed yet, and what a levelised bill defers. An agreement is an opaque id; nobody is named.
"""
