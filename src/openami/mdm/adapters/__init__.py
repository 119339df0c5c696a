"""The registry over PostgreSQL, the store over the ClickHouse engine and its socket."""
