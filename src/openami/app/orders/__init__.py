"""Orders to the field: switching, its loads and standing, thresholds, and the desks that two people work."""
