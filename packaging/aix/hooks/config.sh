
# installp: after the files came, at a first install and at each update.
on_aix || exit 0
prepare || exit 1
if live; then
    :
else
    say "there is no running SRC here: after the boot run $home/bin/rmcagent register --apply"
    exit 0
fi
put_back_off || say "cannot turn its line of inittab off again; do it by hand: chitab \"$(cat "$turned_off")\"" >&2
register_agent
advise
if marked; then
    active || start_agent
elif active; then
    :
else
    say "not started: see what it would do with $home/bin/rmcagent plan, then: startsrc -s rmcagent"
fi
rm -f "$mark" 2>/dev/null
exit 0
