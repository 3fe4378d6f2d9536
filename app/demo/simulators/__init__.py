"""Start the simulated brokers of a demo and read their books in one form."""
