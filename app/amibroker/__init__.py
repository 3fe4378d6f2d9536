"""Speak with AmiBroker: signals in, bars out."""
