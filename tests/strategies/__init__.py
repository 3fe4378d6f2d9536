"""Strategies that misbehave, loaded as a user's own module would be."""
