"""Another rule pack: what it would change, the stored history under it, who signed it."""
