"""Other machines read, check, tag and count groups of files; one process stores what they hand over."""
