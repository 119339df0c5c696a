"""Which bills are due: a place's accounts, rates and read days laid over each other, and what was billed already."""
