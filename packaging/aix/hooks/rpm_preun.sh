
# Before the files go. $1: 0 is a removal; in an upgrade the new package has done all there is to do.
[ "$1" -eq 0 ] || exit 0
on_aix || exit 0
retire || exit 1
exit 0
