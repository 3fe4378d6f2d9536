"""Check laws that hold for every input."""
