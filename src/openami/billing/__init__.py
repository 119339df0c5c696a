"""Bills: rates as data, rating as pure functions, bills that keep what they were computed from. Knows no meter."""
