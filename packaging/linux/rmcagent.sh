#!/bin/sh
# Starts rmcagent with the first Python that is 3.9 or later, and makes way for it. RMCAGENT_PYTHON names another.
home=/usr/lib/rmcagent

# By its name where that tells, so that Python is not started twice: python3 is the same file as python3.11, or is named so itself.
new_enough() {
    [ -x "$1" ] || return 1
    for minor in 6 7 8 9 10 11 12 13 14 15; do
        # shellcheck disable=SC3013  # every Linux's sh has -ef
        if [ "$1" = "/usr/bin/python3.$minor" ] || [ "$1" -ef "$1.$minor" ]; then
            [ "$minor" -ge 9 ]
            return
        fi
    done
    "$1" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1
}

# People and Nagios ask often: these spare themselves the folders of others' packages, of which they need none.
case ${1-} in
    status | check) alone=-S ;;
    *) alone='' ;;
esac
# RHEL 8's and SLES 15's own python3 is 3.6: later ones stand beside it under their full names.
for python in ${RMCAGENT_PYTHON:-/usr/bin/python3 /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 \
    /usr/bin/python3.10 /usr/bin/python3.9}; do
    if new_enough "$python"; then
        exec "$python" -I ${alone:+"$alone"} -B -X utf8 "$home/lib/__main__.py" "$@"
    fi
done
echo "rmcagent: cannot run: no Python 3.9 or later in /usr/bin; install one (RHEL 8: python3.11, SLES 15: python311), or name it in \
RMCAGENT_PYTHON" >&2
exit 1
