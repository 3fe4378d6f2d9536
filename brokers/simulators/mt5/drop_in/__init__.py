"""Hold the module MetaTrader5: with this folder on PYTHONPATH, `import MetaTrader5` finds the fake."""
