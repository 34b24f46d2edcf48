"""rmcagent.bash: what a bash offers after each word, made of the program's own table."""
from __future__ import annotations

from typing import Dict, Iterable, List

import values

from rmcagent.command.table import VERBS

SCRIPT = """\
# bash completion for rmcagent. Made by packaging/man/make.py from the table that the program uses. Change that, and run it.
# It needs bash 4.4 and nothing else, and completing starts no process.

_rmcagent() {{
    local word=${{COMP_WORDS[COMP_CWORD]:-}} before=${{COMP_WORDS[COMP_CWORD - 1]:-}} verb number one
    local -a said=() options=() offered=()
    COMPREPLY=()

    # bash takes --option=value for three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]] && ((COMP_CWORD > 1)); then
        before=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi

    for ((number = 1; number < COMP_CWORD; number++)); do
        one=${{COMP_WORDS[number]}}
        case $one in
            {valued})
                if [[ ${{COMP_WORDS[number + 1]:-}} == = ]]; then
                    ((number += 2))
                else
                    ((number += 1))
                fi ;;
            -*) ;;
            *) said+=("$one") ;;
        esac
    done
    verb=${{said[0]:-}}
    if [[ $verb == config && ${{#said[@]}} -gt 1 ]]; then
        verb="config ${{said[1]}}"
    fi

    case $verb:$before in
{given}
        *)
            case $verb in
{verbs}
                '') options=(--help --version) offered=({first}) ;;
            esac
            # A verb takes one word at most, and one of two words none.
            if [[ $word == -* || ${{#said[@]}} -gt 1 ]]; then
                offered=()
            elif [[ ${{offered[*]:-}} == files ]]; then
                compopt -o default 2>/dev/null || :
                return 0
            fi
            if [[ ${{#offered[@]}} -eq 0 ]]; then
                offered=("${{options[@]}}")
            fi ;;
    esac
    for one in "${{offered[@]}}"; do
        if [[ $one == "$word"* ]]; then
            COMPREPLY+=("$one")
        fi
    done
    return 0
}}

complete -F _rmcagent rmcagent
"""
# readline's own file names: it knows about quotes, blanks and ~.
FILES = "compopt -o default 2>/dev/null || :; return 0"


def text() -> str:
    """The script."""
    valued = {option for verb in VERBS.values() for option, has_value in verb.options.items() if has_value}
    first = dict.fromkeys(verb.split()[0] for verb in VERBS)
    return SCRIPT.format(valued=" | ".join(sorted(valued)), given="\n".join(_given(valued)), verbs="\n".join(_verbs(first)),
                         first=" ".join(first))


def _given(valued: Iterable[str]) -> List[str]:
    """What follows an option that has a value: files, words, or nothing that could be known."""
    answers: Dict[str, List[str]] = {}
    for option in sorted(valued):
        rows = {verb: values.option(verb, option) for verb in VERBS if option in VERBS[verb].options}
        alike = len(set(rows.values())) == 1
        for verb, value in list(rows.items())[:1 if alike else None]:
            answer = FILES if value.placeholder == values.FILE else f"offered=({' '.join(value.offers)})" if value.offers \
                else "return 0"
            answers.setdefault(answer, []).append(f"*:{option}" if alike else f"{_quoted(verb)}:{option}")
    return [f"        {' | '.join(patterns)}) {answer} ;;" for answer, patterns in answers.items()]


def _verbs(first: Iterable[str]) -> List[str]:
    """Of each verb its options, and what its word may be; of one of two words, the second."""
    lines = []
    for verb, row in VERBS.items():
        offers: Iterable[str] = ()
        if row.words:
            assert " " not in verb, f"the script offers nothing after {verb}"
            word = values.word(verb)
            offers = ("files",) if word.placeholder == values.FILE else word.offers
        options = " ".join([*row.options, "--help"])
        lines.append(f"                {_quoted(verb)}) options=({options}) offered=({' '.join(offers)}) ;;")
    for name in first:
        seconds = [verb.split()[1] for verb in VERBS if verb.split()[:1] == [name] and " " in verb]
        if seconds:
            lines.append(f"                {name}) options=(--help) offered=({' '.join(seconds)}) ;;")
    return lines


def _quoted(verb: str) -> str:
    return f"'{verb}'" if " " in verb else verb
