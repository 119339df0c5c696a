"""Rules: what is said about readings. One module a family; the catalog lists them, the judge asks them."""
