"""`python -m pipelines` is the command."""

from pipelines.cli.app import cli

cli()
