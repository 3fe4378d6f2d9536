"""The Binance simulator, driven over the wire by the unmodified client library."""
