"""The customer room over PostgreSQL."""
