"""The engines beneath: PostgreSQL and NATS as child processes, or by URL. ClickHouse is the store room's own."""
