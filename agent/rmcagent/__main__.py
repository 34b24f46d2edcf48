"""Lets `python -m rmcagent` be the command."""
from rmcagent.cli import command

command()
