"""Prove the Kotak simulator against the real client and against its own market rules."""
