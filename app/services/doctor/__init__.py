"""Examine an installation and name everything that is wrong with it, each with its remedy."""
