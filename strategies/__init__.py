"""Turn market events into signals; pure."""
