
# Before the files go. $1: 0 is a removal; in an upgrade the new package has done all there is to do.
[ "$1" -eq 0 ] || exit 0
on_aix || exit 0
in_an_image="in an image that is not booted nothing runs: rpm -e --noscripts rmcagent, and after its boot rmssys -s rmcagent and \
rmitab rmcagent, where lssrc and lsitab show it"
retire || exit 1
forget_compiled
exit 0
