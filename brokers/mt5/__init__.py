"""Speak with MetaTrader 5 terminals through one agent process for each account."""
