"""Accounts receivable. Not built yet: the utility keeps its own."""
