"""Prove that both sides of every wire keep to its contract."""
