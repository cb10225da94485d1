"""The command line: one function a command, in four groups: engineer, analyst, clinical, home."""
