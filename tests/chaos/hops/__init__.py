"""Goes first on the path of a day's processes: its `sitecustomize` waits at the hops of an order."""
