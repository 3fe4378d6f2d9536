"""Push what changed to the browsers."""
