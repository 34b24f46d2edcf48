"""Lets `python -m rmcagent` be the command."""
import sys

from rmcagent.cli import main

sys.exit(main())
