"""Tell people in a chat what they must look at, and let them stop trading from there."""
