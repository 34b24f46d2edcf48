
# After the files came. $1: 1 is a first install, 2 an upgrade, whose old files go only after this.
on_aix || exit 0
prepare || exit 1
if live; then
    :
else
    say "there is no running SRC here: after the boot run $home/bin/rmcagent register --apply"
    exit 0
fi
ran=no
if [ "$1" -gt 1 ] && active; then
    ran=yes
    stop_agent || ran=no
fi
register_agent
advise
if [ "$ran" = yes ]; then
    start_agent
elif active; then
    :
else
    say "not started: see what it would do with $home/bin/rmcagent plan, then: startsrc -s rmcagent"
fi
exit 0
