"""Rules of the MT5 adapter and agent that need no process."""
