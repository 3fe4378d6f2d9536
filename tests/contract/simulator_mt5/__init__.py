"""The simulated MT5 broker and its fake of the SDK, as processes."""
