"""Halt deployments whose strategies misbehave, and tell people why."""

