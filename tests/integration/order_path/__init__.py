"""Prove the order path on real parts: PostgreSQL, Valkey, the broker's client and its simulator."""
