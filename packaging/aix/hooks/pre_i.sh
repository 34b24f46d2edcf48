
# installp: before the files come.
on_aix || {
    say "cannot install here: this fileset is for AIX and VIOS, and this is $(uname -s)" >&2
    exit 1
}
exit 0
