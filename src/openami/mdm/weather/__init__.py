"""Temperatures of weather stations by local day, and degree days made from them. Knows stations, never a customer."""
