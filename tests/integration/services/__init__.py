"""What the use cases promise, on a real PostgreSQL."""
