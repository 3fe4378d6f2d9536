"""Adapt the outside world: clock, queue, streams, vault, embedded engines."""
