# Stands before each script of both packages for AIX and VIOS. /bin/sh there is ksh88: no "!", no local, no [[ ]].
home=/opt/rmcagent
state=/var/rmcagent
logs=/var/log/rmcagent
configuration=/etc/rmcagent
# There while an update by installp lies between taking the old agent away and bringing the new one.
mark=$state/restart
PATH=/usr/bin:/usr/sbin:/etc:/bin:/sbin
LC_ALL=C
export PATH LC_ALL
umask 022

say() {
    echo "rmcagent: $*"
}

on_aix() {
    [ "$(uname -s)" = AIX ]
}

# Whether there is an SRC to register with: not in an image that NIM or alt_disk_install makes.
live() {
    [ -z "${INUCLIENTS-}" ] || return 1
    case $(lssrc -s rmcagent 2>&1) in
        *rmcagent*) return 0 ;;
    esac
    return 1
}

active() {
    lssrc -s rmcagent 2>/dev/null | awk '$1 == "rmcagent" && $NF != "inoperative" { found = 1 } END { exit found ? 0 : 1 }'
}

# Until SRC says that it has ended: its last look may take a while.
stop_agent() {
    active || return 0
    stopsrc -s rmcagent >/dev/null 2>&1
    tries=0
    while active; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ]; then
            say "cannot stop the agent: SRC still says active after two minutes; see lssrc -s rmcagent" >&2
            return 1
        fi
        sleep 2
    done
}

start_agent() {
    startsrc -s rmcagent >/dev/null && say "started again"
}

# A helper writes its number first and that it is done last, into a file of its own; it outlives the agent.
remedy_under_way() {
    for deed in "$state"/deed-*.jsonl; do
        [ -f "$deed" ] || continue
        grep '"done": true' "$deed" >/dev/null && continue
        helper=$(sed -n '1s/.*"helper": \([0-9][0-9]*\).*/\1/p' "$deed")
        [ -n "$helper" ] || continue
        case $(ps -o args= -p "$helper" 2>/dev/null) in
            *' -I -B -X utf8 -c '*) return 0 ;;
        esac
    done
    return 1
}

await_remedy() {
    tries=0
    while remedy_under_way; do
        if [ "$tries" -eq 0 ]; then
            say "a remedy is under way (process $helper): waiting for its end, at most 20 minutes"
        fi
        tries=$((tries + 1))
        if [ "$tries" -gt 240 ]; then
            say "cannot go on: the remedy of process $helper has not ended; see $deed, and try again when it has" >&2
            return 1
        fi
        sleep 5
    done
}

# What is there already is left as it is.
prepare() {
    folder "$configuration" 755 && folder "$configuration/conf.d" 755 && folder "$state" 700 && folder "$logs" 700 || return 1
    if [ -f "$configuration/rmcagent.yaml" ] || [ -h "$configuration/rmcagent.yaml" ]; then
        :
    else
        # By rename, or an install that was cut short leaves half a file that the next one keeps.
        cp "$home/share/rmcagent.yaml" "$configuration/.rmcagent.yaml.new" &&
            chmod 644 "$configuration/.rmcagent.yaml.new" &&
            mv "$configuration/.rmcagent.yaml.new" "$configuration/rmcagent.yaml" || return 1
    fi
    [ -f "$logs/console.log" ] || (umask 077 && : >"$logs/console.log")
}

folder() {
    [ -d "$1" ] || { mkdir -p "$1" && chmod "$2" "$1"; } || {
        say "cannot make $1: is its file system full, or is something else of that name there?" >&2
        return 1
    }
}

# What fails here is told and does not undo the install: it can be done later by hand.
register_agent() {
    if "$home/bin/rmcagent" register --apply; then
        return 0
    fi
    say "not registered: mend what is said above, then run $home/bin/rmcagent register --apply" >&2
    return 1
}

advise() {
    if [ -x /opt/rsct/bin/rmcctrl ] || [ -x /usr/sbin/rsct/bin/rmcctrl ]; then
        :
    else
        say "RSCT is not installed here: until it is, the agent has nothing to look after" >&2
    fi
    if wrong=$("$home/bin/rmcagent" config check 2>&1); then
        return 0
    fi
    say "the configuration was kept as it is, and cannot be used:" >&2
    echo "$wrong" >&2
}

unregister_agent() {
    "$home/bin/rmcagent" register --remove && return 0
    # Python may be gone already.
    tries=0
    while [ "$tries" -lt 8 ] && rmssys -s rmcagent >/dev/null 2>&1; do
        tries=$((tries + 1))
    done
    if lsitab rmcagent >/dev/null 2>&1; then
        rmitab rmcagent
    fi
    return 0
}

# Stopped, no remedy half-way, unregistered; or all as it was, and why.
retire() {
    ran=no
    active && ran=yes
    if stop_agent && await_remedy; then
        [ "$ran" = yes ] && [ "${1-}" = remember ] && : >"$mark"
        unregister_agent
        return 0
    fi
    [ "$ran" = yes ] && { active || start_agent; }
    return 1
}
