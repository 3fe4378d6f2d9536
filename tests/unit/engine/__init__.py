"""Check the engine with examples."""
