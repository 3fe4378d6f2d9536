"""Prove the parts of the feed that need no engine."""
