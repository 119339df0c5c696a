"""Cipher suites, key vault, certificates, access decisions and the audit log."""
