"""Bring prices in once for all users: rounds of ticks, bars, requests for indicators."""
