# Stands in the scripts of the deb and of the rpm for Linux. Any POSIX shell.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/opt/rsct/bin
export PATH
usual=/var/lib/rmcagent
state=$usual

say() {
    echo "rmcagent: $*"
}

# Not while an image is built, where nothing runs.
booted() {
    [ -d /run/systemd/system ]
}

# The configuration may have moved it; where that cannot be asked, it is at the usual place.
find_state() {
    state=$(rmcagent config show --json 2>/dev/null | sed -n '/"key": "paths[.]state"/,/"value": /s/^ *"value": "\(.*\)",*$/\1/p')
    state=${state:-$usual}
}

has_rsct() {
    [ -x /opt/rsct/bin/rmcctrl ] || [ -x /usr/sbin/rsct/bin/rmcctrl ]
}

# Of a remedy under systemd. One that was begun outside of it has a process and no unit.
remedies() {
    listed=$(systemctl list-units --plain --no-legend --no-pager --state=active,activating,deactivating \
        'rmcagent-remedy-*.service' 2>/dev/null) || {
        say "cannot be removed: systemd does not tell whether a remedy is under way; see systemctl list-units" >&2
        return 1
    }
    under_way=$(echo "$listed" | sed 's/ .*//')
    [ -n "$under_way" ] || ! unfinished_deed lives || under_way="process $helper"
}

# A helper writes its number first and that it is done last. $1: lives, or ended.
unfinished_deed() {
    for deed in "$state"/deed-*.jsonl; do
        [ -f "$deed" ] || continue
        if sed -n '/"done": true/q1' "$deed"; then
            helper=$(sed -n '1s/.*"helper": \([0-9][0-9]*\).*/\1/p' "$deed")
            lives=ended
            if [ -n "$helper" ] && [ -n "$(sed -n '/partition[.]system[.]perform/p' "/proc/$helper/cmdline" 2>/dev/null)" ]; then
                lives=lives
            fi
            [ "$lives" != "$1" ] || return 0
        fi
    done
    return 1
}

# A remedy may have stopped RMC and not started it again: taking the program away then is left for later.
await_remedies() {
    tries=0
    trap 'say "not removed: interrupted while a remedy was under way" >&2; run_again; exit 1' INT TERM HUP
    while remedies || return 1; [ -n "$under_way" ]; do
        if [ "$tries" -eq 0 ]; then
            say "a remedy is under way ($under_way): waiting for its end, at most 20 minutes"
        fi
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ]; then
            say "cannot be removed: the remedy has not ended; see systemctl status $under_way, and try again when it has" >&2
            return 1
        fi
        sleep 2
    done
    trap - INT TERM HUP
}

# A helper that was killed starts nothing again, and without the agent nobody would.
none_left_half_way() {
    unfinished_deed ended || return 0
    # Without RSCT there is nothing to be started, and lssrc may be there without it.
    has_rsct || return 0
    case $(lssrc -s ctrmc 2>/dev/null) in
        *inoperative*) ;;
        *ctrmc*active*) return 0 ;;
    esac
    half=${deed##*/}
    say "cannot be removed: RMC was left stopped by ${half%.jsonl}: run rmcctrl -A, then rmcctrl -p, then remove;" \
        "or rm '$deed', where RMC shall stay stopped" >&2
    return 1
}

# Stopped, and no remedy half-way; or all as it was, and why. One that is being started, or waits to be, runs.
retire() {
    find_state
    booted || return 0
    is=$(systemctl show -p ActiveState --value rmcagent.service 2>/dev/null) || is=
    if [ -z "$is" ]; then
        say "cannot be removed: systemd does not tell whether the agent runs; see systemctl status rmcagent" >&2
        return 1
    fi
    case $is in
        inactive | failed) ;;
        *) systemctl stop rmcagent.service || return 1 ;;
    esac
    await_remedies && none_left_half_way && return 0
    run_again
    return 1
}

run_again() {
    case $is in
        inactive | failed) ;;
        *) systemctl start rmcagent.service ;;
    esac
}

# Nobody removes a folder that an administrator named: who else keeps what there?
tell_what_stays() {
    [ "$state" = "$usual" ] || say "kept: $state, where the configuration had the agent keep its state; remove it by hand"
}

# Of an agent that is gone, nothing that says that it failed, or how RMC was.
forget() {
    ! booted || systemctl reset-failed rmcagent.service 2>/dev/null || :
    rm -rf /run/rmcagent
}

# What is wrong here is told and does not undo the install.
advise() {
    usable=yes
    booted || return 0
    has_rsct || say "RSCT is not installed here: until it is, the agent has nothing to look after" >&2
    wrong=$(rmcagent config check 2>&1) && return 0
    code=$?
    usable=no
    case $code in
        6) complain "the configuration was kept as it is, and cannot be used; until it is mended the agent does not start" ;;
        *) complain "the agent cannot run here yet" ;;
    esac
    echo "$wrong" >&2
}

# In syslog as well: what an upgrade prints that nobody attends, nobody reads.
complain() {
    say "$1:" >&2
    if command -v logger >/dev/null; then
        logger -p daemon.err -t rmcagent "$1; see rmcagent config check" || :
    fi
}

not_started() {
    [ "$usable" = yes ] || return 0
    say "not started: see what it would do with rmcagent plan, then: systemctl enable --now rmcagent"
}
