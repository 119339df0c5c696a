"""What goes wrong in the territory: outages, meter exchanges, lost messages. All by seeded dice, day by day."""
