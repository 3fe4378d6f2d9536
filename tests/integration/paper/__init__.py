"""Trade on paper beside a real account, with a real exchange process and real engines."""
