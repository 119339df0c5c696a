"""PostgreSQL adapters of the security room, wired in app alone."""
