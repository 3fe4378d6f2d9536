"""Store domain state in PostgreSQL."""
