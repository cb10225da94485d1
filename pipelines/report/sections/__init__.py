"""The sections of a weekly report, a module each; its `document` puts them in order."""
