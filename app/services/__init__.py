"""Carry out use cases over ports handed in."""
