"""Stand between one terminal and the platform: one process, one thread on the terminal, one journal."""
