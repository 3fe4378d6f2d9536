"""Send orders: one writer per account, entries and exits in lanes of their own."""
