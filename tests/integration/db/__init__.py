"""What the tables and their repositories promise, on a real PostgreSQL."""
