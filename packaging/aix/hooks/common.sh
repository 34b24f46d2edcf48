# Stands before each script of both packages for AIX and VIOS. /bin/sh there is ksh88: no "!", no local, no [[ ]].
home=/opt/rmcagent
state=/var/rmcagent
logs=/var/log/rmcagent
configuration=/etc/rmcagent
# There while an update by installp lies between taking the old agent away and bringing the new one: when it was written, and
# the line of inittab that an operator turned off, or "none" where an operator took it out. installp tells a removal from an
# update nowhere: an install half an hour later is a new one.
mark=$state/restart
turned_off=$state/inittab.off
an_update=1800
rooms='@ROOMS@'
PATH=/usr/bin:/usr/sbin:/etc:/bin:/sbin
LC_ALL=C
export PATH LC_ALL
unset COLUMNS          # ps would cut its lines
umask 022

say() {
    echo "rmcagent: $*"
}

on_aix() {
    [ "$(uname -s)" = AIX ]
}

# What SRC says of a subsystem: active (or on its way there or away), inoperative, absent, or unknown. Only the words of
# 0513-085 say that there is none: a failure says nothing of what runs.
look() {
    if said=$(lssrc -s "$1" 2>&1); then
        seen=$(echo "$said" | awk -v name="$1" '
            $1 == name { row = 1; if ($NF != "inoperative") up = 1 }
            END { print row ? (up ? "active" : "inoperative") : "unknown" }')
        return 0
    fi
    case $said in
        *0513-085*) seen=absent ;;
        *) seen=unknown ;;
    esac
}

# Whether NIM makes an image for machines of its own: what is outside /usr and /opt is the server's then [my inference].
for_clients() {
    [ -n "${INUCLIENTS-}" ] || return 1
    say "this is an image for others: on each of them, after its boot, run mkdir -p $configuration/conf.d;" \
        "cp $home/share/rmcagent.yaml $configuration/; $home/bin/rmcagent register --apply"
}

# Whether there is an SRC to register with: not in an image that alt_disk_install makes.
live() {
    look rmcagent
    [ "$seen" != unknown ]
}

active() {
    look rmcagent
    [ "$seen" = active ]
}

gone() {
    look rmcagent
    [ "$seen" = inoperative ] || [ "$seen" = absent ]
}

# Until SRC says that it has ended: its last look may take a while.
stop_agent() {
    look rmcagent
    case $seen in
        inoperative | absent) return 0 ;;
        unknown)
            cannot_tell
            return 1
            ;;
    esac
    stopsrc -s rmcagent >/dev/null 2>&1
    tries=0
    until gone; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ] && [ "$seen" = unknown ]; then
            cannot_tell
            return 1
        elif [ "$tries" -gt 60 ]; then
            say "cannot stop the agent: SRC still says active after two minutes; see lssrc -s rmcagent" >&2
            return 1
        fi
        sleep 2
    done
}

cannot_tell() {
    say "cannot go on: SRC does not tell whether the agent runs, and under a running one nothing is removed; it says:" >&2
    echo "${said:-nothing}" >&2
    say "see whether srcmstr runs (ps -e | grep srcmstr; init starts it: telinit q), and try again when lssrc answers" >&2
    [ -z "${in_an_image-}" ] || say "$in_an_image" >&2
}

# What ran and does not any more is told to the logs, too: of an update at night nobody reads what the scripts say.
start_agent() {
    if hindered; then
        tell_logs "the agent was stopped for the sake of its package, and not started again: mend $mend first," \
            "then: startsrc -s rmcagent"
        return 1
    elif startsrc -s rmcagent >/dev/null; then
        say "started again"
    else
        say "cannot start it again; later: startsrc -s rmcagent" >&2
        tell_logs "the agent was stopped for the sake of its package, and cannot be started again:" \
            "see what startsrc -s rmcagent says"
        return 1
    fi
}

# Not with a configuration that it would end over: SRC would try a few times and give it up.
hindered() {
    [ -n "${mend-}" ] || return 1
    say "not started: mend $mend first, then: startsrc -s rmcagent" >&2
}

tell_logs() {
    [ ! -x /usr/bin/logger ] || /usr/bin/logger -p daemon.err -t rmcagent "$*"
    [ ! -x /usr/bin/errlogger ] || /usr/bin/errlogger "rmcagent: $*"
}

# After a first install, and after an update over an agent that an operator stopped.
leave_stopped() {
    if [ "$registered" = no ] || hindered; then
        return 0
    fi
    say "not started: see what it would do with $home/bin/rmcagent plan, then: startsrc -s rmcagent"
}

# Where the agent keeps its deeds: the configuration may say so; where it cannot be asked, at the usual place.
find_deeds() {
    deeds=$("$home/bin/rmcagent" config show --json 2>/dev/null | awk '
        /"key":/ { here = /"paths\.state"/ }
        here && sub(/^ *"value": "/, "") { sub(/",?$/, ""); print }')
    deeds=${deeds:-$state}
}

# A helper writes its number first and that it is done last, into a file of its own; it outlives the agent.
remedy_under_way() {
    for deed in "$deeds"/deed-*.jsonl; do
        [ -f "$deed" ] || continue
        grep '"done": true' "$deed" >/dev/null && continue
        helper=$(sed -n '1s/.*"helper": \([0-9][0-9]*\).*/\1/p' "$deed")
        [ -n "$helper" ] || continue
        case $(ps -o args= -p "$helper" 2>/dev/null) in
            *' -I -B -X utf8 -c '*) return 0 ;;
        esac
        its_command_runs && return 0
    done
    unwritten_helper
}

# A helper that a full disk left no word of, or no file, is known by how its process was begun. Only the first words of that may
# be seen, and then it may be another's, whose end is waited for as well.
unwritten_helper() {
    # shellcheck disable=SC2009  # pgrep is not AIX's
    helper=$(ps -A -o pid= -o args= 2>/dev/null | awk -v ours="helper(sys.argv[2:])] $home/lib " -v folder="${deeds%/} " '
        $3 == "-I" && $4 == "-B" && $5 == "-X" && $6 == "utf8" && $7 == "-c" && $8 == "[sys" && !found {
            at = index($0, ours)
            where = substr($0, at + length(ours))
            if (at ? index(where, folder) == 1 || index(where, " ") == 1 : !index($0, "helper(sys.argv[2:])] ")) found = $1
        }
        END { print found }')
    deed="ps -fp $helper"
    [ -n "$helper" ]
}

# A helper that was killed leaves its command behind, which goes on. Its number may be another's by now: that one's program is
# none of the deed's.
its_command_runs() {
    helper=$(awk '/"pid": [0-9]/ { pid = $0; sub(/.*"pid": /, "", pid); sub(/[^0-9].*/, "", pid) } /"end": / { pid = "" }
        END { print pid }' "$deed")
    [ -n "$helper" ] || return 1
    set -f
    # shellcheck disable=SC2046  # its words are wanted
    set -- $(ps -o args= -p "$helper" 2>/dev/null)
    set +f
    for word in "$@"; do
        case $word in
            /*) grep -F "\"$word\"" "${deed%l}" >/dev/null 2>&1 && return 0 ;;
        esac
    done
    return 1
}

# Whoever interrupts the wait interrupts the removal: what ran runs on. To ksh88 a trap is the function's own.
await_remedy() {
    tries=0
    trap 'say "cannot go on: interrupted while a remedy was under way" >&2; [ "$ran" = no ] || start_agent; exit 1' INT TERM HUP
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
    trap - INT TERM HUP
}

# A remedy that was cut in two may have stopped RMC, and with the agent goes what would start it again.
rmc_was_left() {
    rmcctrl=''
    for place in /opt/rsct/bin /usr/sbin/rsct/bin; do
        [ -z "$rmcctrl" ] && [ -x "$place/rmcctrl" ] && rmcctrl=$place/rmcctrl
    done
    [ -n "$rmcctrl" ] || return 1
    for deed in "$deeds"/deed-*.jsonl; do
        [ -f "$deed" ] || continue
        grep '"done": true' "$deed" >/dev/null && continue
        look ctrmc
        # recfgct takes it off the file before it puts it back.
        if [ "$seen" = inoperative ] || [ "$seen" = absent ]; then
            name=${deed##*/}
            say "cannot go on: RMC was left stopped by ${name%.jsonl}: run $rmcctrl -A, then $rmcctrl -p, then try again;" \
                "or rm $deed, where RMC shall stay stopped" >&2
            return 0
        fi
    done
    return 1
}

# What is there already is left as it is.
prepare() {
    folder "$configuration" 755 && folder "$configuration/conf.d" 755 && folder "$state" 700 && folder "$logs" 700 || return 1
    if [ -f "$configuration/rmcagent.yaml" ] || [ -h "$configuration/rmcagent.yaml" ]; then
        :
    else
        # By rename, or an install that was cut short leaves half a file that the next one keeps.
        if cp "$home/share/rmcagent.yaml" "$configuration/.rmcagent.yaml.new" &&
            chmod 644 "$configuration/.rmcagent.yaml.new" &&
            mv "$configuration/.rmcagent.yaml.new" "$configuration/rmcagent.yaml"; then
            :
        else
            say "cannot make $configuration/rmcagent.yaml: is its file system full? Later:" \
                "cp $home/share/rmcagent.yaml $configuration/" >&2
            return 1
        fi
    fi
    # SRC makes it when it starts the agent.
    [ -f "$logs/console.log" ] || (umask 077 && : >"$logs/console.log") 2>/dev/null ||
        say "cannot make $logs/console.log: is its file system full?" >&2
    return 0
}

# Or each start would compile, in twice the time that `rmcagent status` takes otherwise. So it does where there is no Python yet, or
# another later. What was compiled before may lie in folders that are no more.
compile() {
    forget_compiled
    "$home/bin/rmcagent" --compile >/dev/null 2>&1
}

forget_compiled() {
    find "$home/lib" -name __pycache__ -prune -exec rm -rf {} \; 2>/dev/null
}

# rpm removes the old version's files after the new one's are compiled, and a folder that only the old one had where it is empty.
forget_elsewhere() {
    find "$home/lib" -name __pycache__ -prune -print 2>/dev/null | while read -r compiled; do
        case " $rooms " in
            *" ${compiled%/*} "*) ;;
            *) rm -rf "$compiled" ;;
        esac
    done
}

folder() {
    [ -d "$1" ] || { mkdir -p "$1" && chmod "$2" "$1"; } || {
        say "cannot make $1: is its file system full, or is something else of that name there?" >&2
        return 1
    }
}

# What fails here is told and does not undo the install: it can be done later by hand.
register_agent() {
    registered=yes
    "$home/bin/rmcagent" register --apply && return 0
    registered=no
    say "not registered: mend what is said above, then run $home/bin/rmcagent register --apply" >&2
}

# What an operator took out of inittab stays out, as what is off stays off: while the rest is put right, a line that is off holds
# its place, and no boot in between starts the agent.
register_without_line() {
    if mkitab "rmcagent:2:off:/usr/bin/startsrc -s rmcagent"; then
        register_agent
        if rmitab rmcagent; then
            say "its line of inittab had been taken out, and is out again; to start at boot: $home/bin/rmcagent register --apply"
        else
            say "its line of inittab had been taken out, and is off now; to take it out: rmitab rmcagent" >&2
        fi
    else
        register_agent
    fi
}

advise() {
    if [ -x /opt/rsct/bin/rmcctrl ] || [ -x /usr/sbin/rsct/bin/rmcctrl ]; then
        :
    else
        say "RSCT is not installed here: until it is, the agent has nothing to look after" >&2
    fi
    mend=''
    wrong=$("$home/bin/rmcagent" config check 2>&1)
    case $? in
        0) return 0 ;;
        6)
            mend='the configuration'
            say "the configuration was kept as it is, and cannot be used:" >&2
            ;;
        *)
            mend='what is said above'
            [ "$registered" = yes ] || return 0
            say "cannot check the configuration:" >&2
            ;;
    esac
    echo "$wrong" >&2
}

unregister_agent() {
    "$home/bin/rmcagent" register --remove && return 0
    if "$home/bin/rmcagent" --version >/dev/null 2>&1; then
        say "cannot unregister the agent: mend what is said above, and try again" >&2
        "$home/bin/rmcagent" register --apply >/dev/null 2>&1
        return 1
    fi
    # Python is gone already. Never under a running agent: SRC would lose sight of it.
    tries=0
    while look rmcagent && [ "$seen" = inoperative ] && [ "$tries" -lt 8 ]; do
        tries=$((tries + 1))
        rmssys -s rmcagent >/dev/null 2>&1 || break
    done
    if [ "$seen" != absent ]; then
        say "cannot unregister the agent: SRC says $seen after rmssys -s rmcagent; see lssrc -S -s rmcagent, and try again" >&2
        return 1
    fi
    if lsitab rmcagent >/dev/null 2>&1; then
        rmitab rmcagent || say "cannot remove its line of inittab, which does no harm; later: rmitab rmcagent" >&2
    fi
    return 0
}

# Stopped, no remedy half-way, unregistered; or all as it was, and why.
retire() {
    [ -z "${INUCLIENTS-}" ] || return 0
    ran=no
    active && ran=yes
    line=$(lsitab rmcagent 2>/dev/null)
    taken_out && line=none
    find_deeds
    if settle && unregister_agent; then
        [ "${1-}" != remember ] || remember
        return 0
    fi
    [ "$ran" = yes ] && { active || start_agent; }
    return 1
}

# Somebody, or init, may start it while a remedy is waited for.
settle() {
    rounds=0
    while [ "$rounds" -lt 5 ]; do
        rounds=$((rounds + 1))
        stop_agent && await_remedy || return 1
        gone || continue
        if rmc_was_left; then
            return 1
        fi
        return 0
    done
    say "cannot go on: something starts the agent again as often as it is stopped; see ps -ef, and try again" >&2
    return 1
}

# What cannot be noted is told, and holds nothing up.
remember() {
    if [ "$ran" = yes ]; then
        if (seconds >"$mark") 2>/dev/null; then
            say "an install within half an hour starts the agent again; where this is a removal and that is not wanted: rm $mark"
        else
            say "cannot write $mark: after an update start the agent by hand, startsrc -s rmcagent" >&2
        fi
    fi
    case $line in
        rmcagent:*:off:*)
            if (echo "$line" >"$turned_off") 2>/dev/null; then
                say "its line of inittab is off, and will be so again after the next install, unless: rm $turned_off"
            else
                say "cannot write $turned_off: after an update turn its line of inittab off again, chitab \"$line\"" >&2
            fi
            ;;
        none)
            if (echo none >"$turned_off") 2>/dev/null; then
                say "its line of inittab was taken out, and will be out after the next install as well, unless: rm $turned_off"
            else
                say "cannot write $turned_off: after an update take its line of inittab out again, rmitab rmcagent" >&2
            fi
            ;;
    esac
    return 0
}

# SRC knows the agent, and inittab does not: an operator's work, or a registration that failed half-way and was told.
taken_out() {
    look rmcagent
    case $seen in
        active | inoperative) ;;
        *) return 1 ;;
    esac
    if lsitab rmcagent >/dev/null 2>&1; then
        return 1
    fi
}

put_back_off() {
    lsitab rmcagent >/dev/null 2>&1 || mkitab "$(cat "$turned_off")" || return 1
    rm -f "$turned_off"
}

# Whether the mark is of this update: not of one that never came, nor of a removal some time ago.
marked() {
    [ -f "$mark" ] || return 1
    [ -n "$(find "$mark" -mtime -1 2>/dev/null)" ] || return 1
    written=$(sed -n 1p "$mark")
    case $written in
        '' | *[!0-9]*) return 1 ;;
    esac
    now=$(seconds)
    since=$((now - written))
    [ "$since" -ge 0 ] && [ "$since" -lt "$an_update" ]
}

# Of this year; AIX's date need not know the seconds since 1970, and find there no minutes [my inference].
seconds() {
    date -u '+%j %H %M %S' | awk '{ print (($1 * 24 + $2) * 60 + $3) * 60 + $4 }'
}
