"""Usage: validated days joined to the raw tail, and their totals. What bills, charts and downloads are made from."""
