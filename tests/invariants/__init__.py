"""One named test per invariant of the design, on real PostgreSQL."""
