"""A dry run of one file: what would become of it, and a first adapter for its header."""
