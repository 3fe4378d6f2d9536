"""Compute indicators over the closed bars of one session; numbers in, numbers out."""

from strategies.indicators.averages import load
from strategies.indicators.catalog import compute, parse

__all__ = ["compute", "load", "parse"]
