"""Speak with Binance (spot and USD-M futures) through `python-binance` 1.0.37."""
