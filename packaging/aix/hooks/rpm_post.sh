
# After the files came. $1: 1 is a first install, 2 an upgrade, whose old files go only after this.
on_aix || exit 0
forget_compiled
if for_clients; then
    exit 0
fi
# An upgrade goes on: what ran would run on over new files, as it was.
prepare || [ "$1" -gt 1 ] || exit 1
if live; then
    :
else
    say "there is no running SRC here: after the boot run $home/bin/rmcagent register --apply"
    exit 0
fi
compile
forget_elsewhere
ran=no
if [ "$1" -gt 1 ] && active; then
    ran=yes
    stop_agent || ran=no
fi
if [ "$1" -gt 1 ] && taken_out; then
    register_without_line
else
    register_agent
fi
advise
if [ "$ran" = yes ]; then
    start_agent
elif active; then
    :
else
    leave_stopped
fi
exit 0
