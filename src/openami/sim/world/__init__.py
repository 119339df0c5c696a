"""The seeded world: weather, homes and what they draw, day by day."""
