"""Billing as people work it: bills, holds, cycles, corrections, ledger, papers and rates, wired to the engines."""
