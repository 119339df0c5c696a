"""Accounts and desks: who signs in, and one act of one person."""
