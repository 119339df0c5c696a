"""What people decide about readings: kept for ever, applied in every validation run, undone by a later row."""
