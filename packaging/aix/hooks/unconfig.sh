
# installp: before the files go, at a removal and at each update: nothing tells one from the other here.
on_aix || exit 0
retire remember || exit 1
forget_compiled
exit 0
