"""What the launcher and the zipapp start: the agent beside this file. Old Pythons must be able to read it, to be refused."""
import sys

if sys.version_info < (3, 9):  # noqa: UP036
    sys.exit("rmcagent: cannot run on Python %s (%s): it needs 3.9 or later" % (sys.version.split()[0], sys.executable))  # noqa: UP031

folder = __file__.rpartition("/")[0]
if folder not in sys.path:                # started as a file, which spares Python what it loads to start a folder
    sys.path.insert(0, folder)

if sys.argv[1:] == ["--compile"]:         # the packages' scripts ask for it, or each start compiles: twice the time of `status`
    import compileall

    sys.exit(not compileall.compile_dir(folder, quiet=1))

from rmcagent.cli import command  # noqa: E402

command()
