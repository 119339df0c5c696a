"""Alerts: what a person must look at now. Detectors of unusual access are not built yet."""
