"""Check services without engines."""
