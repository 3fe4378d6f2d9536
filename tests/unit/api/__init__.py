"""Check the API without engines."""
