"""Rules about the code itself: sizes, purity, names, settings, what the repository may hold."""
