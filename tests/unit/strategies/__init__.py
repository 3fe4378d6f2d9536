"""Prove the strategies, pure and on real days."""
