"""Prove the parts of the loops that need no engine."""
