"""Run the paper exchange: a durable book, matching that is never optimistic, and its doors on loopback."""
