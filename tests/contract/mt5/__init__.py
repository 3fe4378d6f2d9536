"""The MT5 adapter against real agent processes, which own the fake terminal module."""
