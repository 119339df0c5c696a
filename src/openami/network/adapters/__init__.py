"""The frame stream over NATS JetStream."""
