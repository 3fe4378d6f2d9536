"""Map HTTP paths to services."""
