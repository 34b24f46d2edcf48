# Stands in the scripts of the deb and of the rpm for Linux. Any POSIX shell.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

say() {
    echo "rmcagent: $*"
}

# Not while an image is built, where nothing runs.
booted() {
    [ -d /run/systemd/system ]
}

remedies() {
    systemctl list-units --plain --no-legend --no-pager --state=active,activating,deactivating 'rmcagent-remedy-*.service' 2>/dev/null |
        sed 's/ .*//'
}

# A remedy may have stopped RMC and not started it again: taking the program away then is left for later.
await_remedies() {
    tries=0
    while under_way=$(remedies) && [ -n "$under_way" ]; do
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
}

# Stopped, and no remedy half-way; or all as it was, and why.
retire() {
    booted || return 0
    ran=no
    if systemctl --quiet is-active rmcagent.service; then
        ran=yes
        systemctl stop rmcagent.service || return 1
    fi
    await_remedies && return 0
    [ "$ran" = no ] || systemctl start rmcagent.service
    return 1
}

# What is wrong here is told and does not undo the install.
advise() {
    booted || return 0
    if [ ! -x /opt/rsct/bin/rmcctrl ] && [ ! -x /usr/sbin/rsct/bin/rmcctrl ]; then
        say "RSCT is not installed here: until it is, the agent has nothing to look after" >&2
    fi
    wrong=$(rmcagent config check 2>&1) || {
        say "the configuration was kept as it is, and cannot be used; until it is mended the agent does not start:" >&2
        echo "$wrong" >&2
    }
}

not_started() {
    say "not started: see what it would do with rmcagent plan, then: systemctl enable --now rmcagent"
}
