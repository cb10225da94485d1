"""A source's own layout: adapters, what their heads say, and a first one guessed from a file."""
