"""What operators see when they type a command."""
