"""Whether somebody accepts connections there: all addresses and ports asked at once, nothing sent, no name looked up."""
from __future__ import annotations

import errno
import os
import socket
import time
from selectors import EVENT_WRITE, DefaultSelector
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

MOST_SOCKETS = 256
LOOPBACK = "127.0.0.1"
MAPPED = (b"\0" * 12, b"\0" * 10 + b"\xff\xff")    # what stands before an IPv4 address within an IPv6 one

UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, errno.EINTR)
# The network's or the peer's answer. Whatever else connect() says is about us, and no answer.
UNREACHABLE = (errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN,
               errno.ENETDOWN, errno.ECONNABORTED)

Where = Union[Tuple[str, int], Tuple[str, int, int, int]]


def reach(addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
    """For each address True when any port accepted, False when all declined or kept silent, else None.

    Where we ourselves accepted, that is None, for nobody else answered; LOOPBACK alone is asked to hear just that.
    """
    said: Dict[str, List[Optional[bool]]] = {address: [] for address in addresses}
    waiting: Dict[int, Tuple[str, socket.socket]] = {}
    with DefaultSelector() as selector:
        try:
            for address in said:
                for port in dict.fromkeys(ports):
                    answer, asked = _ask(address, port) if len(waiting) < MOST_SOCKETS else (None, None)
                    if asked is None:
                        said[address].append(answer)
                    else:
                        waiting[asked.fileno()] = (address, asked)
                        selector.register(asked, EVENT_WRITE)
            deadline = time.monotonic() + timeout
            while waiting and time.monotonic() < deadline:
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    selector.unregister(key.fileobj)
                    address, asked = waiting.pop(key.fd)
                    answer = _answer(asked.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                    said[address].append(None if answer and _is_our_own(address, asked) else answer)
                    asked.close()
        finally:
            for address, asked in waiting.values():
                said[address].append(False)       # silence is an answer, too
                asked.close()
    return {address: _any(answers) for address, answers in said.items()}


def _ask(address: str, port: int) -> Tuple[Optional[bool], Optional[socket.socket]]:
    """An answer, or the socket to wait at."""
    found = _where(address, port)
    if found is None:
        return None, None
    family, where = found
    try:
        asked = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None, None
    try:
        asked.setblocking(False)
        code = asked.connect_ex(where)
    except (OSError, OverflowError):
        asked.close()
        return None, None
    if code in UNDER_WAY or code == 0:
        return None, asked
    asked.close()
    return _answer(code), None


def _is_our_own(address: str, asked: socket.socket) -> bool:
    """Whether it was connected to the very address it comes from; other addresses of 127/8 come from LOOPBACK."""
    if address == LOOPBACK:
        return False
    try:
        source = str(asked.getsockname()[0]).partition("%")[0]
        return socket.inet_pton(asked.family, source) == socket.inet_pton(asked.family, address.partition("%")[0])
    except OSError:
        return True          # could not tell, then


def _where(address: str, port: int) -> Optional[Tuple[int, Where]]:
    """The socket address of a literal; None for a name: looking that up may hang, and for nobody's address: that is us."""
    literal, percent, scope = address.partition("%")
    try:
        if ":" not in literal:
            os.fsencode(address)
            packed = socket.inet_pton(socket.AF_INET, address)
            return (socket.AF_INET, (address, port)) if any(packed) else None
        packed = socket.inet_pton(socket.AF_INET6, literal)
        if packed[:12] in MAPPED and not any(packed[12:]):
            return None
        number = (int(scope) if scope.isdigit() else socket.if_nametoindex(scope)) if percent else 0
    except (OSError, ValueError):
        return None
    return socket.AF_INET6, (literal, port, 0, number)


def _answer(code: int) -> Optional[bool]:
    if code == 0:
        return True
    return False if code in UNREACHABLE else None


def _any(answers: Sequence[Optional[bool]]) -> Optional[bool]:
    if True in answers:
        return True
    return None if None in answers or not answers else False
