"""Whether another process holds a record lock on a file."""
from __future__ import annotations

import fcntl
import os
import struct
import sys
from typing import Optional

LAYOUT = "hhqqi4x"      # struct flock of 64-bit Linux: type, whence, start, length, pid


def locked(path: str) -> Optional[bool]:
    """True when it does; False when none does, or there is no such file; None: could not tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        if not sys.platform.startswith("linux"):
            return None     # laid out otherwise there, and nothing we ask about has such a lock
        told = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(LAYOUT, fcntl.F_WRLCK, 0, 0, 0, 0))
        return bool(struct.unpack(LAYOUT, told)[0] != fcntl.F_UNLCK)
    except (OSError, struct.error):
        return None
    finally:
        os.close(descriptor)
