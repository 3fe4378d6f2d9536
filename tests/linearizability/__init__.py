"""Could many writers at once have come one after the other? The search, and the model of a lane."""
