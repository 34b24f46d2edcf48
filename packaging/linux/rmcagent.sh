#!/bin/sh
# Starts rmcagent with the first Python that is 3.9 or later, and makes way for it. RMCAGENT_PYTHON names another.
home=/usr/lib/rmcagent
# RHEL 8's and SLES 15's own python3 is 3.6: later ones stand beside it under their full names.
pythons=${RMCAGENT_PYTHON:-/usr/bin/python3 /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 \
    /usr/bin/python3.10 /usr/bin/python3.9}

# Asked by starting it: a name does not tell that a Python can start.
new_enough() {
    [ -x "$python" ] && "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1
}

# By its name: python3 is the same file as python3.11, or is named so itself.
said_to_be_new() {
    [ -x "$python" ] || return 1
    for minor in 9 10 11 12 13 14 15; do
        # shellcheck disable=SC3013  # every Linux's sh has -ef
        if [ "$python" = "/usr/bin/python3.$minor" ] || [ "$python" -ef "$python.$minor" ]; then
            return 0
        fi
    done
    return 1
}

# People and Nagios ask often: Python is not started twice, and spares itself the folders of others' packages, of which these
# verbs need none (-S). Returns after a Python that cannot start, which is asked only where it ended as it may without us. Both
# verbs only read: what such a one says on standard error is all.
quickly() {
    # It goes on until it is interrupted, by whoever knows one process.
    case "$*" in
        *--w*) return ;;
    esac
    for python in $pythons; do
        if said_to_be_new; then
            "$python" -I -S -B -X utf8 "$home/lib/__main__.py" "$@"
            code=$?
            # Of `status` and `check`; 1 is theirs as well as that of a Python that finds no library of its own.
            case $code in
                0 | [234] | 15[0-3]) exit "$code" ;;
            esac
            if new_enough; then
                exit "$code"
            fi
            return
        fi
    done
}

alone=''
case ${1-} in
    status | check)
        alone=-S
        quickly "$@"
        ;;
esac
for python in $pythons; do
    if new_enough; then
        exec "$python" -I ${alone:+"$alone"} -B -X utf8 "$home/lib/__main__.py" "$@"
    fi
done
echo "rmcagent: cannot run: no Python 3.9 or later in /usr/bin; install one (RHEL 8: python3.11, SLES 15: python311), or name it in \
RMCAGENT_PYTHON" >&2
exit 1
