
# installp: after the files came, at a first install and at each update.
on_aix || exit 0
if for_clients; then
    exit 0
fi
# An agent that ran is not left stopped over a folder that could not be made.
prepare || marked || exit 1
if live; then
    :
else
    say "there is no running SRC here: after the boot run $home/bin/rmcagent register --apply"
    exit 0
fi
compile
if [ "$(cat "$turned_off" 2>/dev/null)" = none ]; then
    register_without_line
    rm -f "$turned_off"
else
    [ ! -f "$turned_off" ] || put_back_off ||
        say "cannot turn its line of inittab off again; do it by hand: chitab \"$(cat "$turned_off")\"" >&2
    register_agent
fi
advise
if marked; then
    active || start_agent
elif active; then
    :
else
    leave_stopped
fi
rm -f "$mark" 2>/dev/null
exit 0
