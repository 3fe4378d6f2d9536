"""Watch the agents from outside, because nothing inside a hung process can end it."""
