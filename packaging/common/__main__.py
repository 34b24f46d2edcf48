"""What the launcher and the zipapp start: the agent beside this file. Old Pythons must be able to read it, to be refused."""
import sys

if sys.version_info < (3, 9):
    sys.exit("rmcagent: cannot run on Python %d.%d (%s): it needs 3.9 or later" % (sys.version_info[:2] + (sys.executable,)))

from rmcagent.cli import main

sys.exit(main())
