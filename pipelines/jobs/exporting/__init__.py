"""The tagged records as files for other programs."""
