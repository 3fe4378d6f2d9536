"""Turn one event into a decision; the same step for live, paper and replay."""
