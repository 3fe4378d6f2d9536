"""The rules of the paper broker, without a process."""
