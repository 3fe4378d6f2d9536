"""Prove the pure domain."""
