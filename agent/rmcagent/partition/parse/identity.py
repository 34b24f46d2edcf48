"""Who this node is: its node id, as the file and the command tell it."""
from __future__ import annotations

import re
from typing import Union

from rmcagent.model import Answer
from rmcagent.partition.parse.lines import cannot, lines_of, quote, succeeded, whole


def node_id(said: Union[Answer, str]) -> str:
    """16 hex digits from `lsnodeid`, or from the text of /etc/ct_node_id: its first line that is no comment."""
    answer = Answer("ct_node_id", 0, said if said.endswith("\n") else said + "\n") if isinstance(said, str) else said
    whole(answer)
    succeeded(answer)
    first = next((line.strip() for line in lines_of(answer) if not line.lstrip().startswith("#")), "")
    if not re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]{9,16}", first):
        raise cannot(answer, f"{quote(first)} is not a node id of 9 to 16 hex digits")
    return first[2 if first[1] in "xX" else 0:].lower().zfill(16)
