"""Serve a made-up trading day through the real API, for browser tests and for working on the dashboard."""
