
# installp: after the files came, at a first install and at each update.
on_aix || exit 0
prepare || exit 1
if live; then
    :
else
    say "there is no running SRC here: after the boot run $home/bin/rmcagent register --apply"
    exit 0
fi
register_agent
advise
# A mark of an update that never came is forgotten after a day.
if [ -n "$(find "$mark" -mtime -1 2>/dev/null)" ]; then
    active || start_agent
elif active; then
    :
else
    say "not started: see what it would do with $home/bin/rmcagent plan, then: startsrc -s rmcagent"
fi
rm -f "$mark"
exit 0
