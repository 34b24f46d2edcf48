
# After the files went. $1: 0 is a removal.
[ "$1" -eq 0 ] || exit 0
on_aix || exit 0
say "kept: $configuration, $state, $logs; remove them by hand where nothing of them is wanted"
exit 0
