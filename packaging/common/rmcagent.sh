#!/bin/sh
# Starts rmcagent: finds a Python, gives it a clean environment and few open files, and makes way for it.
#
# For AIX's /bin/sh, which is ksh88. Python is RMCAGENT_PYTHON, from the environment or from a line of /etc/rmcagent/env, or else
# the first of those below that is 3.9 or later.
home=/opt/rmcagent
state=/var/rmcagent
configuration=/etc/rmcagent
pythons='/usr/bin/python3 /usr/opt/python3/bin/python3 /opt/freeware/bin/python3
    /opt/freeware/bin/python3.13 /opt/freeware/bin/python3.12 /opt/freeware/bin/python3.11 /opt/freeware/bin/python3.9'

# SRC restarts a subsystem that ended badly only twice within its -w seconds (mkssys: 60), and then leaves it down for ever.
window=60
longest=900
breath=5

main() {
    PATH=/usr/bin:/usr/sbin:/etc:/usr/ucb:/bin:/sbin
    LC_ALL=C LANG=C
    export PATH LC_ALL LANG
    case ${1-} in
        status | check) quickly "$@" ;;
    esac
    clean
    few_files
    find_python || no_python "$@"
    if [ "${1-}" = run ]; then
        back_off
    fi
    exec "$python" -I -B -X utf8 "$home/lib/__main__.py" "$@"
}

# People and Nagios ask often, and what is asked runs no command: no process is started to prepare Python's start, which spares
# itself the folders of others' packages (-S). Returns where that takes more care: also after a Python that cannot start, and
# that is asked only where it ended as it may without us. Both verbs only read: what such a one says on standard error is all.
quickly() {
    # It goes on until it is interrupted, by whoever knows one process.
    case "$*" in
        *--w*) return 0 ;;
    esac
    [ -z "${RMCAGENT_PYTHON-}" ] && [ ! -r "$configuration/env" ] || return 0
    # A value in which such a name stands only takes the longer way.
    case $(export) in
        *LIBPATH* | *LDR* | *LD_* | *PYTHON*) return 0 ;;
    esac
    for python in $pythons; do
        if [ -x "$python" ]; then
            said_to_be_new || return 0
            "$python" -I -S -B -X utf8 "$home/lib/__main__.py" "$@"
            code=$?
            # Of `status` and `check`; 1 is theirs as well as that of a Python that finds no library of its own.
            case $code in
                0 | [234] | 15[0-3]) exit "$code" ;;
            esac
            if new_enough; then
                exit "$code"
            fi
            return 0
        fi
    done
}

# Without starting it: python3 is the same file as python3.9, or as a later one. posh has no -ef.
said_to_be_new() {
    for minor in 9 10 11 12 13 14 15; do
        # shellcheck disable=SC3013  # -ef is ksh88's
        if [ "$python" -ef "$python.$minor" ] 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

# What would lead Python or a command to other libraries goes; children must see the C locale, whatever SRC was started with.
clean() {
    for name in $(env | sed -n -e 's/^\(LIBPATH\)=.*/\1/p' -e 's/^\(LDR*_[A-Z0-9_]*\)=.*/\1/p' -e 's/^\(PYTHON[A-Z0-9_]*\)=.*/\1/p'); do
        unset "$name"
    done
}

# Where /proc/self/fd is missing (AIX), Python closes as many files as there may be, one by one, before each command.
# The limit that children may raise again is left as it is. posh has no ulimit.
few_files() {
    # shellcheck disable=SC3045  # -S and -n are ksh88's
    case $(ulimit -n 2>/dev/null) in
        '') ;;
        unlimited) ulimit -S -n 2048 2>/dev/null ;;
        [0-9]*) [ "$(ulimit -n)" -le 2048 ] || ulimit -S -n 2048 2>/dev/null ;;
    esac
    return 0
}

find_python() {
    python=${RMCAGENT_PYTHON-}
    if [ -z "$python" ] && [ -r "$configuration/env" ]; then
        python_of_file
    fi
    if [ -n "$python" ]; then
        pythons=$python
        new_enough
        return
    fi
    for python in $pythons; do
        if new_enough; then
            return 0
        fi
    done
    return 1
}

# Root runs what is named there: as all of the configuration it is followed only where nobody but root may write it, and never
# where it is a link, which leads to a folder that may be another's. The search does without.
python_of_file() {
    if [ -h "$configuration/env" ]; then
        echo "rmcagent: cannot trust $configuration/env, which is a link, and does without it; put a file in its place" >&2
        return 0
    fi
    # shellcheck disable=SC2012  # the names are known
    if ls -lnLd "$configuration/." "$configuration/env" 2>/dev/null |
        awk '$3 == 0 && $1 !~ /^.....w/ && $1 !~ /^........w/ { ours++ } END { exit ours != 2 }'; then
        python=$(awk '/^(export )?RMCAGENT_PYTHON=/ { sub(/^[^=]*=/, ""); gsub(/["\047\r]/, ""); sub(/[ \t]+$/, ""); named = $0 }
            END { print named }' "$configuration/env")
    else
        echo "rmcagent: cannot trust $configuration/env, which others than root may change, and does without it; run: chown root \
$configuration $configuration/env; chmod go-w $configuration $configuration/env" >&2
    fi
}

new_enough() {
    [ -x "$python" ] && "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1
}

words() {
    echo "$*"
}

# Before any back-off: SRC shall give up soon, and its error log say so.
no_python() {
    # shellcheck disable=SC2086  # its line ends become spaces
    sentence="rmcagent: cannot run: no Python 3.9 or later among $(words $pythons); install one (AIX 7.3 has python3.9.base, \
the AIX Toolbox python3.12), or name it in $configuration/env as RMCAGENT_PYTHON=/path/to/python3"
    echo "$sentence" >&2
    if [ "${1-}" = run ] && [ -x /usr/bin/errlogger ]; then
        /usr/bin/errlogger "$sentence"
    fi
    exit 1
}

# Restarts of a daemon that does not live long are kept out of SRC's window: a minute apart, then two, four ... fifteen.
# A clean stop, and a configuration that was edited since, begin anew. lssrc says active meanwhile; rmcagent status does not.
back_off() {
    started=$state/started
    now=$(seconds)
    last='' count=0
    if [ -r "$started" ]; then
        read -r last count <"$started" || :
    fi
    case $last$count in
        *[!0-9]* | '') count=0 ;;
        *) if stopped_cleanly || edited || [ "$((now - last))" -lt 0 ] || [ "$((now - last))" -ge "$window" ]; then
               count=0
           else
               count=$((count + 1))
           fi ;;
    esac
    if [ "$count" -gt 0 ]; then
        wait_for "$count"
        now=$(seconds)
    fi
    if [ -d "$state" ]; then
        (umask 077 && echo "$now $count" >"$started") 2>/dev/null || echo "rmcagent: cannot write $started: is $state full?" >&2
    fi
}

wait_for() {
    pause=$window
    round=1
    while [ "$round" -lt "$1" ] && [ "$pause" -lt "$longest" ]; do
        pause=$((pause * 2))
        round=$((round + 1))
    done
    [ "$pause" -le "$longest" ] || pause=$longest
    # stopsrc sends SIGTERM, which must not wait for the sleep's end.
    trap 'kill "$!" 2>/dev/null; exit 0' TERM INT
    echo "rmcagent: it ended badly soon after its last start ($1 in a row): waiting $pause s, or SRC would give it up" >&2
    # A signal that comes just before `wait` is heard only when it ends: the sleep is cut into short ones.
    while [ "$pause" -gt 0 ]; do
        [ "$pause" -ge "$breath" ] || breath=$pause
        sleep "$breath" &
        wait "$!"
        pause=$((pause - breath))
    done
    trap - TERM INT
}

# Of this year; AIX's date need not know the seconds since 1970.
seconds() {
    date -u '+%j %H %M %S' | awk '{ print (($1 * 24 + $2) * 60 + $3) * 60 + $4 }'
}

# It is the daemon's last word then, and of its last life.
stopped_cleanly() {
    [ -n "$(find "$state/public/status.json" -newer "$started" 2>/dev/null)" ] &&
        grep '"verdict": *"not-running"' "$state/public/status.json" >/dev/null 2>&1
}

edited() {
    [ -n "$(find "$configuration" -newer "$started" 2>/dev/null | sed 1q)" ]
}

main "$@"
