"""The head-end over NATS JetStream and PostgreSQL."""
