"""Outage, voltage and theft reasoning. Not built yet."""
