"""Serve the wire protocol of Binance spot and USD-M futures from a process with a market and books of its own."""
