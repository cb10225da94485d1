"""The command line: one function a command, a module a group of users."""
