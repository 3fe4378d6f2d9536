"""Speak OpenAlgo's order API, so that its clients work by changing the address and the key."""
