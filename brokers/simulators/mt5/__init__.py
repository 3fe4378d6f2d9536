"""Simulated MetaTrader 5 broker: a server process with the market and the books, and a fake of the SDK."""
