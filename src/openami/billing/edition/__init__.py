"""Rates as they were known: every text of a rate file that bills were made by, with the instant from which it held."""
