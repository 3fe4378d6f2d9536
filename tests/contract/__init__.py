"""Prove behaviour."""
