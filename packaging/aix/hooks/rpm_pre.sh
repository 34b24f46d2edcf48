
# Before the files come. $1: how many of this package there will be.
on_aix || {
    say "cannot install here: this package is for AIX and VIOS, and this is $(uname -s); Linux has a deb and an rpm of its own" >&2
    exit 1
}
# Each would overwrite the other's files, and the first to go would take the registration with it.
case $(lslpp -Lcq rmcagent.rte 2>/dev/null) in
    *:rmcagent.rte:*)
        say "cannot install here: installp's rmcagent.rte is installed; update that, or remove it first: installp -u rmcagent.rte" >&2
        exit 1
        ;;
esac
exit 0
