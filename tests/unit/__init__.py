"""Check single rules with examples; no I/O."""
