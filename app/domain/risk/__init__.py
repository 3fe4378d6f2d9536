"""Decide which intents may leave and when exposure must go."""
