"""Hold the nouns and rules of trading; standard library only, no I/O."""
