#!/bin/sh
# Starts rmcagent with the first Python that is 3.9 or later, and makes way for it. RMCAGENT_PYTHON names another.
home=/usr/lib/rmcagent

new_enough() {
    [ -x "$1" ] && "$1" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1
}

# RHEL 8's and SLES 15's own python3 is 3.6: later ones stand beside it under their full names.
for python in ${RMCAGENT_PYTHON:-/usr/bin/python3 /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 \
    /usr/bin/python3.10 /usr/bin/python3.9}; do
    if new_enough "$python"; then
        exec "$python" -I -B -X utf8 "$home/lib" "$@"
    fi
done
echo "rmcagent: cannot run: no Python 3.9 or later in /usr/bin; install one (RHEL 8: python3.11, SLES 15: python311), or name it in \
RMCAGENT_PYTHON" >&2
exit 1
