"""SRC, inittab and errlogger as small executables with a folder for an ODM, so that what registers the agent can run for real.

They are sh, for they also stand in a changed root where no Python of ours is. Texts and exit codes are invented where IBM's
pages give none; what must never be done (rmssys under a running subsystem) is done, and noted in the file `sins`.
"""
from __future__ import annotations

from pathlib import Path
from typing import Dict, List

NAMES = ("mkssys", "rmssys", "lssrc", "startsrc", "stopsrc", "lsitab", "mkitab", "rmitab", "errlogger")
FIELDS = ("subsysname", "synonym", "cmdargs", "path", "uid", "auditid", "standin", "standout", "standerr", "action", "multi",
          "contact", "svrkey", "svrmtype", "priority", "signorm", "sigforce", "display", "waittime", "grpname")
STUB = r"""#!/bin/sh
odm=@ODM@
name=${0##*/}
echo "$name $*" >>"$odm/log"
[ "$name" = errlogger ] && exit 0
subsystem='' action=-O multi=-Q contact=-K normal=0 forced=0 priority=20 waits=20 group='' uid='' program='' arguments=''
in=/dev/console out=/dev/console err=/dev/console definition='' after=''
absent() { echo "0513-085 The $subsystem Subsystem is not on file."; exit 1; }
on_file() { grep "^$subsystem:" "$odm/SRCsubsys" >/dev/null; }
active() { [ -f "$odm/active/$subsystem" ]; }
case $name in
lsitab) exec grep "^$1:" "$odm/inittab" ;;
rmitab) grep "^$1:" "$odm/inittab" >/dev/null || exit 1
        grep -v "^$1:" "$odm/inittab" >"$odm/new"; mv "$odm/new" "$odm/inittab"; exit 0 ;;
mkitab) if [ "$1" = -i ]; then after=$2; shift 2; fi
        grep "^${1%%:*}:" "$odm/inittab" >/dev/null && { echo "mkitab: the entry exists" >&2; exit 1; }
        if [ -n "$after" ]; then
            grep "^$after:" "$odm/inittab" >/dev/null || { echo "mkitab: no $after" >&2; exit 1; }
            awk -v line="$1" -v after="$after:" '{ print } index($0, after) == 1 { print line }' "$odm/inittab" >"$odm/new"
            mv "$odm/new" "$odm/inittab"
        else
            echo "$1" >>"$odm/inittab"
        fi
        exit 0 ;;
mkssys) while getopts s:p:u:a:i:o:e:ORdDqQKI:m:Sn:f:E:G:w: flag; do
            case $flag in
            s) subsystem=$OPTARG ;; p) program=$OPTARG ;; u) uid=$OPTARG ;; a) arguments=$OPTARG ;; i) in=$OPTARG ;;
            o) out=$OPTARG ;; e) err=$OPTARG ;; O|R) action=-$flag ;; q|Q) multi=-$flag ;; K|S) contact=-$flag ;;
            n) normal=$OPTARG ;; f) forced=$OPTARG ;; E) priority=$OPTARG ;; G) group=$OPTARG ;; w) waits=$OPTARG ;;
            ?) exit 1 ;;
            esac
        done
        printf '%s::%s:%s:%s:0:%s:%s:%s:%s:%s:%s:0:0:%s:%s:%s:-d:%s:%s:\n' "$subsystem" "$arguments" "$program" "$uid" "$in" \
            "$out" "$err" "$action" "$multi" "$contact" "$priority" "$normal" "$forced" "$waits" "$group" >>"$odm/SRCsubsys"
        echo "0513-071 The $subsystem Subsystem has been added."
        exit 0 ;;
esac
while getopts Ss:g:cf flag; do
    case $flag in s|g) subsystem=$OPTARG ;; S) definition=yes ;; esac
done
on_file || absent
case $name in
rmssys) active && echo "rmssys under a running $subsystem" >>"$odm/sins"
        awk -v start="$subsystem:" 'index($0, start) == 1 && !gone { gone = 1; next } { print }' "$odm/SRCsubsys" >"$odm/new"
        mv "$odm/new" "$odm/SRCsubsys"
        echo "0513-083 Subsystem has been Deleted." ;;
lssrc)  if [ -n "$definition" ]; then
            echo '#@FIELDS@:'
            grep "^$subsystem:" "$odm/SRCsubsys"
        elif active; then
            printf 'Subsystem         Group            PID          Status\n %-17s%-17s%-13s%s\n' "$subsystem" "$subsystem" \
                "$(cat "$odm/active/$subsystem")" active
        else
            printf 'Subsystem         Group            PID          Status\n %-17s%-30s%s\n' "$subsystem" "$subsystem" inoperative
        fi ;;
startsrc) active && { echo "0513-029 The $subsystem Subsystem is already active."; exit 1; }
        pid=4242
        if [ -f "$odm/really" ]; then
            program=$(grep "^$subsystem:" "$odm/SRCsubsys" | head -n 1 | cut -d: -f4)
            arguments=$(grep "^$subsystem:" "$odm/SRCsubsys" | head -n 1 | cut -d: -f3)
            "$program" $arguments </dev/null >>"$odm/console" 2>&1 &
            pid=$!
        fi
        echo "$pid" >"$odm/active/$subsystem"
        echo "0513-059 The $subsystem Subsystem has been started. Subsystem PID is $pid." ;;
stopsrc) active || { echo "0513-004 The Subsystem or Group, $subsystem, is currently inoperative."; exit 1; }
        if [ -f "$odm/really" ]; then
            pid=$(cat "$odm/active/$subsystem")
            kill "$pid" 2>/dev/null
            while :; do
                case $(ps -o stat= -p "$pid") in '' | Z*) break ;; esac
                sleep 0.1
            done
        fi
        [ -f "$odm/deaf" ] || rm -f "$odm/active/$subsystem"
        echo "0513-044 The $subsystem Subsystem was requested to stop." ;;
esac
"""


class Odm:
    """A fake ODM in `folder` and its commands in `commands`; `inside` is the folder's name in a changed root."""

    def __init__(self, folder: Path, commands: Path, inside: str = "") -> None:
        self.folder, self.commands = folder, commands
        (folder / "active").mkdir(parents=True)
        (folder / "SRCsubsys").write_text("")
        (folder / "inittab").write_text("init:2:initdefault:\nrctcpip:23456789:wait:/etc/rc.tcpip > /dev/console 2>&1\n"
                                        "cron:23456789:respawn:/usr/sbin/cron\n")
        commands.mkdir(parents=True, exist_ok=True)
        text = STUB.replace("@ODM@", inside or str(folder)).replace("@FIELDS@", ":".join(FIELDS))
        for name in NAMES:
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)

    def paths(self) -> Dict[str, str]:
        return {name: str(self.commands / name) for name in NAMES}

    def records(self) -> List[Dict[str, str]]:
        return [dict(zip(FIELDS, line.split(":"))) for line in self._lines("SRCsubsys")]

    def inittab(self) -> List[str]:
        return self._lines("inittab")

    def log(self) -> List[str]:
        return self._lines("log")

    def changes(self) -> List[str]:
        """What was run that changes anything."""
        return [line for line in self.log() if not line.startswith(("lssrc", "lsitab"))]

    def sins(self) -> List[str]:
        return self._lines("sins")

    def is_active(self) -> bool:
        return (self.folder / "active" / "rmcagent").exists()

    def _lines(self, name: str) -> List[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []
