"""Prove the demo's driver, its people and its comparison without any process."""
