"""Check rules of the domain one by one, with examples."""
