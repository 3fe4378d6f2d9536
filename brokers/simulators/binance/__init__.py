"""Serve the wire protocol of Binance spot and USD-M futures from a process with its own market and books."""
