"""Prove the adapters to files and engines that need neither network nor process."""
