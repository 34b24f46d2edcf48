
# Before the files come. $1: how many of this package there will be.
on_aix || {
    say "cannot install here: this package is for AIX and VIOS, and this is $(uname -s); Linux has a deb and an rpm of its own" >&2
    exit 1
}
exit 0
