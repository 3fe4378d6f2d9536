"""Give operators every act as a command: `openbell --help`."""

from app.cli.program import main

__all__ = ["main"]
