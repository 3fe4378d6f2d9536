"""Prove single rules by example."""
