#!/usr/bin/python3 -IS
# The deb's /usr/bin/rmcagent. -I: as root it imports nothing that PYTHONPATH or root's own folders name. -S: what site would look
# for, in a third of the time of `rmcagent status`, are the folders of others' packages, and here they are Debian's own.
import sys

sys.path.append("/usr/lib/python3/dist-packages")

from rmcagent.cli import command  # noqa: E402

command()
