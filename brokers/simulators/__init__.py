"""Serve broker wire protocols from independent processes with books of their own."""
