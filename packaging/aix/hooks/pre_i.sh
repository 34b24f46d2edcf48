
# installp: before the files come.
on_aix || {
    say "cannot install here: this fileset is for AIX and VIOS, and this is $(uname -s)" >&2
    exit 1
}
# Each would overwrite the other's files, and the first to go would take the registration with it.
if rpm -q rmcagent >/dev/null 2>&1; then
    say "cannot install here: the rpm of rmcagent is installed; upgrade that, or remove it first: rpm -e rmcagent" >&2
    exit 1
fi
exit 0
