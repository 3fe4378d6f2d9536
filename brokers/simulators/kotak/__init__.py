"""Serve the Kotak Neo wire protocol from a process of its own, with a market and books of its own."""
