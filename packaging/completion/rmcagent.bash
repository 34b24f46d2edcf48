# bash completion for rmcagent. Made by packaging/man/make.py from the table that the program uses. Change that, and run it.
# It needs bash 4.4 and nothing else, and completing starts no process.

_rmcagent() {
    local word=${COMP_WORDS[COMP_CWORD]:-} before=${COMP_WORDS[COMP_CWORD - 1]:-} verb number one
    local -a said=() options=() offered=()
    COMPREPLY=()

    # bash takes --option=value for three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]] && ((COMP_CWORD > 1)); then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    for ((number = 1; number < COMP_CWORD; number++)); do
        one=${COMP_WORDS[number]}
        case $one in
            --config | --fleet | --for | --from | --hmcs | --out | --policy | --reason | --runs | --scenario | --script | --seed | --since | --svg)
                if [[ ${COMP_WORDS[number + 1]:-} == = ]]; then
                    ((number += 2))
                else
                    ((number += 1))
                fi ;;
            -*) ;;
            *) said+=("$one") ;;
        esac
    done
    verb=${said[0]:-}
    if [[ $verb == config && ${#said[@]} -gt 1 ]]; then
        verb="config ${said[1]}"
    fi

    case $verb:$before in
        *:--config | *:--from | *:--out | *:--policy | *:--script | *:--svg) compopt -o default 2>/dev/null || :; return 0 ;;
        *:--fleet | *:--hmcs | *:--reason | *:--runs | *:--seed) return 0 ;;
        pause:--for) offered=(30m 1h 2h 4h 8h 1d 2d 7d) ;;
        rehearse:--for) offered=(1d 7d 30d 90d) ;;
        *:--scenario) offered=(quiet ctrmc-dies ctrmc-will-not-stay ctrmc-hangs ctrmc-stopped manager-dies remote-disabled session-stuck session-partial hmcs-forgotten handshake-stuck identity-lost cloned-node hmc-restarts hmc-replaced hmc-flaps firewall-closed mtu-black-hole log-storm-hmc-side var-fills caa-active caa-appears peer-domain migration in-band-hmc vios-ssp lparmgr-stuck commands-hang garbage clock-jumps agent-crashes state-full operator-works mix) ;;
        *:--since) offered=(1h 12h 1d 7d 30d) ;;
        *)
            case $verb in
                run) options=(--config --help) offered=() ;;
                status) options=(--config --json --brief --watch --help) offered=() ;;
                check) options=(--config --help) offered=() ;;
                plan) options=(--config --json --from --help) offered=() ;;
                why) options=(--config --json --help) offered=() ;;
                history) options=(--config --json --since --follow --svg --help) offered=() ;;
                pause) options=(--config --for --reason --help) offered=() ;;
                resume) options=(--config --help) offered=() ;;
                reload) options=(--config --help) offered=() ;;
                heal) options=(--config --dry-run --help) offered=(refresh start manager lparmgr recycle recfgct) ;;
                'config check') options=(--config --help) offered=() ;;
                'config show') options=(--config --json --help) offered=() ;;
                metrics) options=(--config --help) offered=() ;;
                collect) options=(--config --out --help) offered=() ;;
                classify) options=(--config --json --help) offered=(files) ;;
                doctor) options=(--config --json --help) offered=() ;;
                register) options=(--config --check --apply --remove --json --help) offered=() ;;
                rehearse) options=(--config --policy --scenario --script --seed --for --svg --runs --fleet --hmcs --stuck --list --json --help) offered=() ;;
                demo) options=(--config --help) offered=() ;;
                config) options=(--help) offered=(check show) ;;
                '') options=(--help --version) offered=(run status check plan why history pause resume reload heal config metrics collect classify doctor register rehearse demo) ;;
            esac
            # A verb takes one word at most, and one of two words none.
            if [[ $word == -* || ${#said[@]} -gt 1 ]]; then
                offered=()
            elif [[ ${offered[*]:-} == files ]]; then
                compopt -o default 2>/dev/null || :
                return 0
            fi
            if [[ ${#offered[@]} -eq 0 ]]; then
                offered=("${options[@]}")
            fi ;;
    esac
    for one in "${offered[@]}"; do
        if [[ $one == "$word"* ]]; then
            COMPREPLY+=("$one")
        fi
    done
    return 0
}

complete -F _rmcagent rmcagent
