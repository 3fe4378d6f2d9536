"""Check the API against real engines."""
