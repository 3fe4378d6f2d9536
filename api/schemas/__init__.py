"""Describe what goes over HTTP."""
