"""Prove what AmiBroker sends and is answered."""
