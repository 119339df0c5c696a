"""Devices as people work them: registry, roster, shipments, collectors, firmware, quarantine and one lone meter."""
