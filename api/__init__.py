"""Serve REST, WebSocket and the dashboard."""
