from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import List

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmcagent import config
from rmcagent.config import Budget, ConfigError, Window
from rmcagent.partition.platform import PATHS_AIX, PATHS_LINUX
from rmcagent.report.files import log_path

ROOT = Path(__file__).resolve().parent.parent
MINUTE = timedelta(minutes=1)

# What packages, roles and monitoring rely on, as it was agreed.
CONTRACT = """
mode: act
platform: auto
cadence: {pulse: 5s, look: 60s}
timeout: 20s
timeouts: {lspv: 60s, ioscli: 60s}
commands: {}
paths: {}
expect: {management: auto, hmcs: [], subsystems: {}}
log: {files: ["{var_ct}/*/log/mc/IBM.MgmtDomainRM*"], storm: {bytes: 64KiB, within: 10m}}
network: {ports: [657, 12601], timeout: 3s}
faults: {hung: 5, flapping: 6/1h, stale_hmc: 7d, var_warn: 90%, var_full: 97%, blind: 10m}
remedies:
  refresh: {mode: act, grace: 2m,  settle: 6m,  cooldown: 15m, budget: 12/24h}
  start:   {mode: act, grace: 1m,  settle: 3m,  cooldown: 5m,  budget: 6/24h, cause_unknown: 15m, after_stop: 2h}
  manager: {mode: act, grace: 3m,  settle: 3m,  cooldown: 10m, budget: 6/24h}
  lparmgr: {mode: shadow, grace: 5m,  settle: 5m,  cooldown: 30m, budget: 3/24h}
  recycle: {mode: act, grace: 5m,  settle: 12m, cooldown: 30m, budget: 2/24h, in_cluster: refuse}
  recfgct: {mode: act, grace: 30m, settle: 15m, cooldown: 6h,  budget: [1/24h, 3/30d],
            treats: [link-pending, no-hmc, identity-clash, cloned-node]}
guards: {boot: 10m, migration: 10m, evidence: 60s, hmc_back: 20m, splay: 10m}
report:
  syslog: {facility: daemon, socket: auto}
  journal: auto
  errlog: auto
  metrics: off
  file: auto
  remind: 6h
"""


def mistakes_in(text: str) -> List[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "F")
    return [str(mistake) for mistake in caught.value.mistakes]


def warnings_in(text: str) -> List[str]:
    return [str(warning) for warning in config.parse(text, "F").warnings]


# ---- defaults ----------------------------------------------------------------------------------------------------------

def test_the_defaults_are_those_of_the_contract():
    assert config.parse(CONTRACT).settings == config.defaults()


def test_an_empty_configuration_is_the_defaults():
    for text in ("", "# nothing\n", "---\n", "cadence:\nremedies:\n  recycle:\n"):
        assert config.parse(text).settings == config.defaults()


def test_the_shipped_file_stands_at_the_defaults_without_a_warning():
    loaded = config.parse((ROOT / "etc/rmcagent.yaml").read_text("utf-8"))

    assert loaded.settings == config.defaults()
    assert loaded.warnings == ()


def test_the_shipped_file_holds_every_key_with_a_comment():
    text = (ROOT / "etc/rmcagent.yaml").read_text("utf-8")
    written = yaml.safe_load(text)

    for dotted, _ in config.each_key():
        holder = written
        for name in dotted.split("."):
            assert name in holder, f"{dotted} is missing"
            holder = holder[name]

    assert text.isascii() and max(map(len, text.splitlines())) <= 130


def test_every_key_says_what_it_is_for():
    keys = dict(config.each_key())

    assert len(keys) > 60 and "remedies.recfgct.treats" in keys
    assert not [dotted for dotted, key in keys.items() if not key.doc]


def test_single_values_arrive_in_their_types():
    found = config.parse("""
faults: {var_warn: 92.5%, hung: 3}
log: {storm: {bytes: 1MiB}}
timeouts: {errpt: 1500ms}
remedies: {start: {after_stop: never, grace: 0s}}
expect: {subsystems: {IBM.ERRM: required}}
""").settings

    assert (found.faults.var_warn, found.faults.hung, found.log.storm.bytes) == (0.925, 3, 1 << 20)
    assert found.timeouts == {"lspv": MINUTE, "ioscli": MINUTE, "errpt": timedelta(seconds=1.5)}
    assert found.remedies["start"].after_stop is None and found.remedies["start"].grace == timedelta(0)
    assert found.expect.subsystems == {"IBM.ERRM": "required"}
    assert found.remedies["refresh"].budget == (Budget(12, timedelta(days=1)),)


def test_what_is_dumped_comes_to_the_same_settings():
    loaded = config.parse("""
mode: observe
cadence: {pulse: 1500ms}
commands: {lspv: /opt/lspv}
expect: {hmcs: [192.0.2.1, "2001:db8::1", hmc.example.com], subsystems: {IBM.ERRM: on-demand}}
log: {files: [], storm: {bytes: 1000}}
faults: {var_warn: 12.34%}
remedies: {start: {after_stop: never, window: "Fri-Sun 22:30-24:00", budget: [1/1h, 2/1d]}}
report: {file: off}
""")

    again = config.parse(yaml.safe_dump(config.dump(loaded.settings)))

    assert loaded.settings != config.defaults()
    assert again.settings == loaded.settings and again.hash == loaded.hash


def test_durations_are_dumped_in_their_shortest_spelling():
    loaded = config.parse("cadence: {look: 120s}\ntimeout: 1500ms\nguards: {boot: 0m}\nreport: {remind: 24h}")

    dumped = config.dump(loaded.settings)

    assert (dumped["cadence"]["look"], dumped["timeout"], dumped["guards"]["boot"], dumped["report"]["remind"]) \
        == ("2m", "1500ms", "0s", "1d")
    assert dumped["remedies"]["recfgct"]["budget"] == ["1/1d", "3/30d"] and dumped["remedies"]["recycle"]["budget"] == "2/1d"


@given(st.integers(0, 10 ** 11))
def test_a_duration_that_is_spelled_reads_back(milliseconds):
    length = timedelta(milliseconds=milliseconds)

    assert config.duration(config.spell(length)) == length


def test_the_hash_tells_policies_apart_but_not_spellings():
    assert config.parse("cadence: {look: 1m}").hash == config.parse("# the same\n").hash
    assert config.parse("cadence: {look: 61s}").hash != config.parse("").hash


# ---- mistakes ----------------------------------------------------------------------------------------------------------

def test_every_mistake_is_reported_at_once_with_its_line():
    assert mistakes_in("""\
mode: atc
cadence: {pulse: 5s, lok: 60s}
remedies:
  recycle:
    grace: 5
    in_cluster: maybe
network:
  ports:
    - 657
    - 70000
    - http
cadense: {}
""") == [
        'F:1: cannot use mode "atc": did you mean "act"? write act, shadow or observe',
        'F:2: cannot use cadence.lok: unknown key, did you mean "look"?',
        'F:5: cannot use remedies.recycle.grace "5": it has no unit, write 5s, 5m or 5h',
        'F:6: cannot use remedies.recycle.in_cluster "maybe": no such choice, write refuse or allow',
        'F:10: cannot use network.ports "70000": write a whole number from 1 to 65535',
        'F:11: cannot use network.ports "http": write a whole number from 1 to 65535',
        'F:12: cannot use cadense: unknown key, did you mean "cadence"?',
    ]


def test_a_key_in_the_wrong_place_is_told_where_it_belongs():
    assert mistakes_in("in_cluster: refuse") == ["F:1: cannot use in_cluster: unknown key, it belongs under remedies.recycle"]
    assert mistakes_in("log: {mode: act, storm: {recycle: 1}}") == [
        "F:1: cannot use log.mode: unknown key, it belongs at the top level, under remedies.refresh or under remedies.start",
        "F:1: cannot use log.storm.recycle: unknown key, it belongs under remedies"]
    assert mistakes_in("remedies: {recfgct: {in_cluster: allow}, start: {treats: [no-hmc]}}") == [
        "F:1: cannot use remedies.recfgct.in_cluster: unknown key, it belongs under remedies.recycle",
        "F:1: cannot use remedies.start.treats: unknown key, it belongs under remedies.recfgct"]


def test_a_key_like_no_other_is_told_those_there_are():
    assert mistakes_in("cadence: {zzz: 1}") == ["F:1: cannot use cadence.zzz: unknown key, known are pulse, look"]


def test_names_of_commands_and_paths_are_known():
    assert mistakes_in("commands: {rmcctl: /x}\ntimeouts: {lsrcs: 1s}\npaths: {node-id: /x}") == [
        'F:1: cannot use commands.rmcctl: unknown name, did you mean "rmcctrl"?',
        'F:2: cannot use timeouts.lsrcs: unknown name, did you mean "lssrc"?',
        'F:3: cannot use paths.node-id: unknown name, did you mean "node_id"?']
    assert "not a subsystem's name" in mistakes_in("expect: {subsystems: {'a b': required}}")[0]


@pytest.mark.parametrize("text, expected", [
    ("mode: [act]", "it is a list, write act, shadow or observe"),
    ("mode: {}", "it is a mapping, write act, shadow or observe"),
    ("mode:", "it is empty, write act, shadow or observe"),
    ("mode: off", "no such choice, write act, shadow or observe"),
    ("cadence: 5s", "cannot use cadence: it is a single value, write keys with values"),
    ("[]", "cannot use this file: it is a list, write keys with values"),
    ("act", "cannot use this file: it is a single value"),
    ("? [a]\n: 1", "cannot use a list as a key: write a name"),
    ("timeout: 5min", "not a duration"),
    ("timeout: 1h30m", "not a duration"),
    ("timeout: -5s", "not a duration"),
    ("timeout: 1.5s", "not a duration"),
    ("timeout: \u0663s", "not a duration"),
    ("timeout: 0s", "out of range, write 1ms to 3650d"),
    ("timeout: 999999999999d", "too long"),
    ("timeout: 3651d", "too long"),
    ("remedies: {recycle: {settle: 0s}}", "out of range"),
    ("remedies: {start: {after_stop: 0s}}", "out of range"),
    ("remedies: {start: {after_stop: nver}}", "not a duration"),
    ("guards: {evidence: 900ms}", "out of range, write 1s to 10m"),
    ("guards: {evidence: 11m}", "out of range, write 1s to 10m"),
    ("log: {storm: {bytes: 64KB}}", "write a number of bytes, or a number and KiB, MiB or GiB"),
    ("log: {storm: {bytes: 0}}", "out of range"),
    ("log: {files: /var/ct/x}", "not a list"),
    ("log: {files: [var/ct/x]}", "not an absolute path"),
    ("log: {files: ['{var}/x']}", "not an absolute path"),
    ("log: {files: ['/{var}/x']}", "only {var_ct} stands for something here"),
    ("log: {files: ['/x}{var_ct}']}", "only {var_ct} stands for something here"),
    ("log: {files: ['/x{']}", "only {var_ct} stands for something here"),
    ("remedies: {recycle: {budget: 0/24h}}", "mode: off"),
    ("remedies: {recycle: {budget: 2}}", "write TIMES/SPAN"),
    ("remedies: {recycle: {budget: 2/day}}", "not a duration"),
    ("remedies: {recycle: {budget: 2/0s}}", "out of range"),
    ("remedies: {recycle: {budget: []}}", "an empty list, write TIMES/SPAN"),
    ("remedies: {recycle: {budget: [[2/1h]]}}", "it is a list"),
    ("remedies: {recfgct: {treats: [rmc-down]}}", "no such choice, write link-down, link-pending, no-hmc, identity-"),
    ("remedies: {recfgct: {treats: [link_down]}}", 'did you mean "link-down"?'),
    ("faults: {hung: 0}", "write a whole number from 1"),
    ("faults: {hung: 0x5}", "write a whole number from 1"),
    ("faults: {hung: " + "9" * 5000 + "}", "write a whole number from 1"),
    ("faults: {var_full: 0.97}", "write a percentage"),
    ("faults: {var_full: 0%}", "write a percentage"),
    ("faults: {var_full: 101%}", "write a percentage"),
    ("faults: {flapping: 0/1h}", "it allows nothing"),
    ("network: {ports: []}", "an empty list"),
    ("network: {ports: 657}", "not a list"),
    ("network: {ports: [0]}", "from 1 to 65535"),
    ("expect: {hmcs: [10.1.2.300]}", "neither an IP address nor a host name"),
    ("expect: {hmcs: [a_b, '']}", "neither an IP address nor a host name"),
    ("expect: {hmcs: [-hmc]}", "neither an IP address nor a host name"),
    ("expect: {hmcs:}", "not a list, write a list of addresses"),
    ("commands: {lspv: lspv}", "not an absolute path"),
    ('paths: {var: "/a\\nb"}', "characters that do not print"),
    ("report: {syslog: {facility: deamon}}", 'did you mean "daemon"?'),
    ("report: {syslog: {socket: off}}", "write auto or /a/path"),
    ("report: {metrics: on}", "write off or /a/path"),
    ("report: {journal: on}", "write auto or off"),
    ("mode: !!python/object:os.system act", "tags (!NAME) are not taken here"),
    ("mode: !odd act", "tags (!NAME) are not taken here"),
    ("a: &x 1\nb: *x", "aliases (*NAME) are not taken here"),
    ("mode: act\nmode: act", "cannot use mode twice: lines 1 and 2 have it"),
    ("remedies: {start: {grace: 1m, grace: 2m}}", "cannot use remedies.start.grace twice"),
    ("cadence:\n\tpulse: 5s", "indent with spaces"),
    ("cadence: {pulse: 5s", "F:1: cannot read it as YAML"),
    ("mode: act\n---\nmode: act", "cannot read it as YAML"),
    ("mode: a\x00t", "character U+0000 may not stand here"),
    ('mode: "\\UFFFFFFFF"', "cannot read it as YAML"),
    ("%YAML 1." + "1" * 5000 + "\n---\nmode: act", "cannot read it as YAML"),
    ("[" * 5000, "it is nested too deeply"),
    ("cadence: [" + "1," * 12000 + "]", "it has too many keys and values"),
], ids=lambda text: text[:40])
def test_what_cannot_be_used_is_told_with_the_mend(text, expected):
    told = mistakes_in(text)

    assert any(expected in mistake for mistake in told), told


def test_a_bare_off_is_the_word_whatever_yaml_1_1_takes_it_for():
    for word in ("off", "Off", "no", "false", '"off"'):
        text = f"report: {{journal: {word}, metrics: {word}, file: {word}}}\nremedies: {{recfgct: {{mode: {word}}}}}"

        found = config.parse(text).settings

        assert (found.report.journal, found.report.metrics, found.report.file) == ("off", "off", "off")
        assert found.remedies["recfgct"].mode == "off"
    assert mistakes_in('report: {journal: "no"}') and mistakes_in("report: {journal: 0}")


def test_the_line_is_that_of_the_mistake_also_after_strange_characters():
    assert mistakes_in("mode: act\n\nx: \x07\n")[0].startswith("F:3: ")
    assert mistakes_in("- &x a\n- *x\n\n\n\n- c")[0].startswith("F:2: ")
    assert mistakes_in('mode: act\nx: "\\UFFFFFFFF"\n')[0].startswith("F:2: ")


# ---- contradictions and warnings ---------------------------------------------------------------------------------------

def test_contradictions_are_mistakes():
    assert mistakes_in("cadence: {pulse: 61s}") == [
        "F:1: cannot use cadence.pulse 61s: longer than cadence.look, write 1m or less"]
    assert mistakes_in("\nfaults: {var_full: 80%}") == [
        "F:2: cannot use faults.var_warn 90%: above faults.var_full, write 80% or less"]


@pytest.mark.parametrize("text, expected", [
    ("\nexpect: {management: none, hmcs: [192.0.2.10]}",
     "F:2: cannot use expect.hmcs 192.0.2.10: expect.management says none, write auto there, or no HMC here"),
    ("expect: {subsystems: {ctrmc: absent-ok}}",
     "F:1: cannot use expect.subsystems.ctrmc absent-ok: without ctrmc there is nothing to watch, write required"),
    ("expect: {subsystems: {ctrmc: on-demand}}",
     "F:1: cannot use expect.subsystems.ctrmc on-demand: without ctrmc there is nothing to watch, write required"),
    ('remedies:\n  recycle: {window: "Sun 02:00-02:10"}',
     "F:2: cannot use guards.splay 10m: not shorter than a remedy's window, Sun 02:00-02:10 (10m), so that a fleet would act as"
     " one; write less, or a longer window"),
    ('guards: {splay: 2h}\nremedies: {recfgct: {window: "23:00-00:30"}}',
     "F:1: cannot use guards.splay 2h: not shorter than a remedy's window, 23:00-00:30 (90m), so that a fleet would act as one;"
     " write less, or a longer window"),
    ("remedies: {start: {after_stop: 5m}}",
     "F:1: cannot use remedies.start.after_stop 5m: shorter than cause_unknown (15m), so that an RMC stopped on purpose is"
     " started sooner than one that may have crashed; write 15m or more, or never"),
    ("paths: {state: /var/rmcagent/, public: /var//rmcagent}",
     "F:1: cannot use paths.state /var/rmcagent/: the same folder as paths.public, which everyone may read; write another"),
    ("paths: {state: /var/ct/rmcagent}",
     "F:1: cannot use paths.state /var/ct/rmcagent: it lies in RSCT's own folder, which recfgct empties; write another"),
    ("paths: {state: /var/x/../ct/state}",
     "F:1: cannot use paths.state /var/x/../ct/state: it lies in RSCT's own folder, which recfgct empties; write another"),
    ("paths: {state: /../var/rmc/x/.., public: /var/rmc}",
     "F:1: cannot use paths.state /../var/rmc/x/..: the same folder as paths.public, which everyone may read; write another"),
    ("paths: {state: /rsct/x, var_ct: /rsct}",
     "F:1: cannot use paths.state /rsct/x: it lies in RSCT's own folder, which recfgct empties; write another"),
], ids=lambda text: text[:40])
def test_a_policy_that_contradicts_itself_is_refused_with_its_line_and_its_mend(text, expected):
    assert mistakes_in(text) == [expected]


@pytest.mark.parametrize("text", [
    "expect: {management: auto, hmcs: [192.0.2.10]}", "expect: {management: none}", "expect: {subsystems: {ctrmc: required}}",
    'remedies: {recycle: {window: "Sun 02:00-02:11"}}', 'guards: {splay: 89m}\nremedies: {recfgct: {window: "23:00-00:30"}}',
    'guards: {splay: 5h}\nremedies: {refresh: {window: "02:00-03:00"}}', "remedies: {start: {after_stop: 15m}}",
    "remedies: {start: {after_stop: never}}", "paths: {state: /var/rmcagent, public: /var/rmcagent/public}",
    "paths: {state: /var/ctx}", "mode: observe\nremedies: {recycle: {mode: act}}", "paths: {var_ct: /rsct}",
    "mode: shadow\nremedies: {recycle: {mode: shadow}}",
])
def test_what_only_looks_like_a_contradiction_is_none(text):
    assert warnings_in(text) == []


@pytest.mark.parametrize("text, expected", [
    *((f"report: {{{key}: {paths[name]}/x.prom}}", f"report.{key} {paths[name]}/x.prom: it lies in the agent's own folder /")
      for key in ("metrics", "file") for paths in (PATHS_LINUX, PATHS_AIX) for name in ("state", "public")),
    ("report: {file: /var/run/rmcagent/status.json}", "report.file /var/run/rmcagent/status.json: it lies in the agent's own"),
    ("paths: {state: /opt/a}\nreport: {metrics: /opt//./a/x.prom}", "report.metrics /opt//./a/x.prom: it lies in the agent's"),
    ("paths: {public: /opt/a}\nreport: {metrics: /opt/a/b/x.prom}", "report.metrics /opt/a/b/x.prom: it lies in the agent's own"),
    ("paths: {state: /opt/a}\nreport: {file: /opt/a/ledger.jsonl}", "report.file /opt/a/ledger.jsonl: it lies in the agent's"),
    ("paths: {public: /opt/a}\nreport: {file: /opt/a/x}", "report.file /opt/a/x: it lies in the agent's own folder /opt/a"),
    ("report: {metrics: /opt/x.prom, file: /opt//x.prom}", "report.metrics /opt/x.prom: report.file is the same"),
    ("report: {metrics: /opt/x.4, file: /opt/x}", "report.metrics /opt/x.4: report.file is the same, or is rotated to it"),
    ("report: {metrics: /opt/x.prom, file: /opt/.x.prom.new}", "report.metrics /opt/x.prom: report.file is the same"),
    (f"report: {{metrics: {log_path('auto', 'aix')}}}", "report.metrics /var/log/rmcagent/rmcagent.log: report.file is the same"),
    ("report: {metrics: /etc/a/F.yaml}", "report.metrics /etc/a/F.yaml: it is one of the configuration's own files"),
    ("report: {file: /etc/a/F.yaml}", "report.file /etc/a/F.yaml: it is one of the configuration's own files"),
    ("report: {file: /etc/a/maintenance}", "report.file /etc/a/maintenance: it is one of the configuration's own files"),
])
def test_what_we_write_never_takes_the_place_of_what_we_need(text, expected):
    with pytest.raises(ConfigError) as wrong:
        config.parse(text, "/etc/a/F.yaml")

    (mistake,) = wrong.value.mistakes
    assert mistake.text.startswith(f"cannot use {expected}")


@pytest.mark.parametrize("text", [
    "report: {metrics: /var/lib/rmcagents/x.prom, file: /var/log/rmcagent/rmcagent.log}", "report: {metrics: off, file: off}",
    "report: {metrics: /opt/x.prom, file: /opt/x}", "paths: {state: /opt/a}\nreport: {file: /opt/ab}",
])
def test_what_lies_elsewhere_may_be_written(text):
    assert warnings_in(text) == []


def test_a_value_that_cannot_be_read_is_not_judged_a_second_time():
    assert len(mistakes_in("cadence: {pulse: 2m, look: 300}")) == 1
    assert len(mistakes_in("cadence: {pulse: 2m}\nlog: []")) == 1


@pytest.mark.parametrize("text, expected", [
    ("remedies: {refresh: {settle: 4m}}", "remedies.refresh.settle is under RSCT's own five minutes"),
    ("remedies: {recycle: {settle: 299s}}", "remedies.recycle.settle is under RSCT's own five minutes"),
    ("remedies: {recfgct: {settle: 1m}}", "remedies.recfgct.settle is under RSCT's own five minutes"),
    ("remedies: {recfgct: {grace: 4m}}", "remedies.recfgct.grace is shorter than remedies.recycle.grace (5m)"),
    ("remedies: {recycle: {grace: 31m}}", "remedies.recfgct.grace is shorter than remedies.recycle.grace (31m)"),
    ("remedies: {recfgct: {budget: 2/24h}}", "remedies.recfgct.budget allows 2 in 1d, the default 1"),
    ("remedies: {recfgct: {budget: 1/24h}}", "remedies.recfgct.budget allows 30 in 30d, the default 3"),
    ("remedies: {recfgct: {budget: 4/30d}}", "remedies.recfgct.budget allows 4 in 1d, the default 1"),
    ("cadence: {look: 20s}", "timeout is not shorter than cadence.look (20s)"),
    ("timeout: 4s", "timeout is under five seconds: an RMC that is busy and answers later looks hung after 4s"),
    ("timeouts: {lsrsrc: 1s}", "timeouts.lsrsrc is under five seconds"),
    ("timeouts: {rmcdomainstatus: 4999ms}", "timeouts.rmcdomainstatus is under five seconds"),
    ("timeouts: {rmcctrl: 60s}", "timeouts.rmcctrl has no effect: a command that changes something is never cut short"),
    ("timeouts: {recfgct: 1h}", "timeouts.recfgct has no effect"),
    ("cadence: {look: 301s}", "cadence.look is over five minutes: whether a fault or an HMC's answer lasted without a break is"),
    ("faults: {hung: 1}", "faults.hung 1 with cadence.look 1m: after so short a silence RMC is recycled, HMC or not"),
    ("network: {ports: [22]}", "network.ports 22: without RMC's own port, 657, an HMC counts as reachable that RMC cannot reach"),
    ("faults: {stale_hmc: 1h}", "faults.stale_hmc is under a day: an HMC that is being upgraded is taken for retired after 1h"),
    ("faults: {var_full: 99.5%}", "faults.var_full is above 99%: recycle and recfgct may run with 99.5% of /var used"),
    ("remedies: {recycle: {grace: 0s}}", "remedies.recycle.grace is under RSCT's own five minutes: a link that would come back"),
    ("remedies: {recycle: {budget: 7/24h}}", "remedies.recycle.budget allows 7 in 1d, the default 2: RMC is away for a minute"),
    ("remedies: {recycle: {budget: 1/1h}}", "remedies.recycle.budget allows 24 in 1d"),
    ("remedies: {start: {cooldown: 25h}}", "remedies.start.cooldown is longer than its budget's span (1d): the cooldown alone"),
    ("remedies: {recycle: {mode: off}}", "remedies.recfgct.treats names link-pending, no-hmc in vain"),
    ("remedies: {recycle: {mode: shadow}}", "remedies.recfgct.treats names link-pending, no-hmc in vain"),
    ("guards: {evidence: 19s}", "guards.evidence is shorter than timeout (20s): after one slow answer the others are too old"),
    ("guards: {hmc_back: 0s}", "guards.hmc_back is under RSCT's own five minutes: 0s after an HMC has rebooted, all its"),
    ("guards: {boot: 59s}", "guards.boot 59s: RMC is still being started then, write 5m or more"),
    ("guards: {splay: 0s}", "guards.splay 0s: all partitions of an HMC act at the same moment"),
    ("guards: {migration: 0s}", "guards.migration 0s: RMC is recycled while the HMC still completes the migration"),
    ("report: {metrics: /prom/rmcagent}", "report.metrics /prom/rmcagent: node_exporter's textfile collector reads *.prom"),
])
def test_what_is_unwise_is_a_warning(text, expected):
    assert len(warnings_in(text)) == 1 and warnings_in(text)[0].startswith(f"F:1: {expected}")


@pytest.mark.parametrize("text", [
    "remedies: {refresh: {settle: 5m, cooldown: 1m}}",          # settle beyond cooldown is fine
    "remedies: {start: {settle: 1m}}",
    "remedies: {recfgct: {budget: 1/30d}}",
    "remedies: {recfgct: {budget: [1/24h, 3/30d, 9/1h]}}",
    "remedies: {recfgct: {grace: 5m}}",
    "cadence: {look: 21s}",
    "cadence: {look: 5m}",
    "timeout: 5s",
    "timeouts: {lsrsrc: 5s, rmcdomainstatus: 90s, lssrc: 1s}",
    "faults: {hung: 2}",
    "network: {ports: [657]}",
    "faults: {stale_hmc: 1d, var_full: 99%}",
    "remedies: {recycle: {budget: [6/24h]}}",
    "remedies: {recycle: {budget: [1/1h, 6/24h]}}",
    "remedies: {start: {cooldown: 24h}, recfgct: {cooldown: 30d}}",
    "remedies: {recycle: {mode: off}, recfgct: {mode: off}}",
    "remedies: {recycle: {mode: off}, recfgct: {treats: [identity-clash]}}",
    "guards: {evidence: 20s, hmc_back: 5m, boot: 1m, splay: 1s, migration: 1s}",
])
def test_what_is_wise_enough_is_not_warned_of(text):
    assert warnings_in(text) == []


# ---- windows -----------------------------------------------------------------------------------------------------------

def window(text: str) -> Window:
    opening = config.parse(f'remedies: {{recycle: {{window: "{text}"}}}}').settings.remedies["recycle"].window
    assert opening is not None
    return opening


SATURDAY = datetime(2026, 3, 28)


def at(day: int, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return SATURDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize("text, inside, outside", [
    ("01:00-05:00", [(0, "01:00"), (3, "04:59")], [(0, "00:59"), (0, "05:00")]),
    ("Sat,Sun 01:00-05:00", [(0, "01:00"), (1, "04:59")], [(2, "01:00"), (-1, "01:00")]),
    ("Sat 22:00-04:00", [(0, "22:00"), (0, "23:59"), (1, "00:00"), (1, "03:59")],
     [(0, "21:59"), (0, "03:00"), (1, "04:00"), (1, "22:00")]),
    ("Sun 22:00-04:00", [(1, "22:00"), (2, "03:59")], [(1, "03:59"), (2, "22:00")]),
    ("22:00-04:00", [(0, "22:00"), (0, "03:59")], [(0, "04:00"), (0, "21:59")]),
    ("Mon-Fri 00:00-24:00", [(2, "00:00"), (6, "23:59")], [(0, "12:00"), (1, "12:00")]),
    ("fri-mon 10:00-11:00", [(-1, "10:00"), (0, "10:00"), (2, "10:59")], [(3, "10:00"), (5, "10:00")]),
    ("Sat 22:00-00:00", [(0, "23:59")], [(1, "00:00"), (0, "00:00")]),
])
def test_a_window_is_open_when_it_says_so(text, inside, outside):
    opening = window(text)

    assert [moment for moment in inside if not opening.open_at(at(*moment))] == []
    assert [moment for moment in outside if opening.open_at(at(*moment))] == []
    assert window(str(opening)) == opening


def test_an_hour_that_dst_repeats_counts_twice():
    first = datetime(2026, 10, 25, 2, 30, fold=0)

    assert window("Sun 02:00-03:00").open_at(first) and window("Sun 02:00-03:00").open_at(first.replace(fold=1))


def test_always_is_no_window():
    assert config.parse("remedies: {recycle: {window: always}}").settings.remedies["recycle"].window is None


@pytest.mark.parametrize("text", [
    "Sat", "Sat 1:00-5:00", "01:00", "01:00-25:00", "24:00-01:00", "01:60-02:00", "01:00-01:00", "Sab 01:00-02:00",
    "Sat-Sun-Mon 01:00-02:00", "Sat, Sun 01:00-05:00", "Sat-", ", 01:00-02:00", "never"])
def test_what_is_no_window_is_refused(text):
    (told,) = mistakes_in(f'remedies: {{recycle: {{window: "{text}"}}}}')

    assert told.startswith(f'F:1: cannot use remedies.recycle.window "{text}": ') and " write " in told


# ---- hostile text ------------------------------------------------------------------------------------------------------

def held_to_the_bounds(text: str) -> None:
    try:
        config.parse(text, "F")
    except ConfigError as wrong:
        assert 0 < len(wrong.mistakes) <= 50
        for mistake in wrong.mistakes:
            assert len(mistake.text) < 300 and all(" " <= one <= "~" for one in mistake.text)


@given(st.text())
def test_no_text_at_all_ends_in_a_traceback(text):
    held_to_the_bounds(text)


SHARDS = [*"\t\n ,:-?#&*!|>'\"%@`[]{}<=~/\\Ux0m1\u2028\ufeff\x85", "mode", "remedies:\n", "  recycle: ", "budget", "\n- ",
          "...\n", "---\n", "%YAML 1.1\n", "%TAG ! x\n", "!!set ", "!!binary ", "<<: ", "2/24h", "Sat ", "off"]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(SHARDS), max_size=40).map("".join))
def test_no_broken_yaml_ends_in_a_traceback(text):
    held_to_the_bounds(text)


def test_what_is_shown_of_a_file_is_escaped_and_cut():
    (told,) = mistakes_in('mode: "\\e[2J\\u202e' + "x" * 5000 + '"')

    assert r'cannot use mode "\x1b[2J\u202exx' in told and len(told) < 300


@pytest.mark.parametrize("key", ["root:$6$salt", "k" * 41, "\\r\\n", "\u0663\u0664", "a b", ""])
def test_a_key_that_is_no_word_is_not_repeated(key):
    told = mistakes_in(f'"{key}": 1\ncadence:\n  "{key}": 1\n  "{key}": 2\nexpect: {{subsystems: {{"{key}/": required}}}}')

    assert [line[:62] for line in told] == [
        "F:1: cannot use a key that is no word: unknown key, known are ",
        "F:3: cannot use a key that is no word under cadence: unknown k",
        "F:4: cannot use a key that is no word under cadence twice: lin",
        "F:5: cannot use a key that is no word under expect.subsystems:"]
    assert not key or not any(key in line for line in told)


def test_a_key_that_is_a_word_is_repeated():
    assert mistakes_in("k.e-y_" + "9" * 34 + ": 1")[0].startswith("F:1: cannot use k.e-y_" + "9" * 34 + ": unknown key")


def test_beyond_fifty_mistakes_are_only_counted():
    with pytest.raises(ConfigError) as caught:
        config.parse("".join(f"k{number}: 1\n" for number in range(62)), "F")

    assert len(caught.value.mistakes) == 50
    assert str(caught.value).splitlines()[-1] == "and 12 more"


# ---- files -------------------------------------------------------------------------------------------------------------

@pytest.fixture
def folder(tmp_path):
    (tmp_path / "conf.d").mkdir(mode=0o755)
    put(tmp_path / "rmcagent.yaml", "mode: shadow\n")
    return tmp_path


def put(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def refused(folder: Path) -> List[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(str(folder / "rmcagent.yaml"))
    return [str(mistake).replace(str(folder), "DIR") for mistake in caught.value.mistakes]


def test_later_files_win_key_by_key_and_replace_lists(folder):
    put(folder / "rmcagent.yaml", "mode: shadow\ncadence: {look: 30s}\nnetwork: {ports: [657]}\ntimeouts: {lspv: 90s}\n")
    put(folder / "conf.d/20-b.yaml", "mode: observe\nnetwork: {ports: [12601, 657]}\n")
    put(folder / "conf.d/10-a.yaml", "mode: act\ncadence: {pulse: 2s}\n")
    put(folder / "conf.d/.hidden.yaml", "mode: nonsense\n")

    loaded = config.load(str(folder / "rmcagent.yaml"))

    assert loaded.settings.mode == "observe" and loaded.settings.network.ports == (12601, 657)
    assert loaded.settings.cadence == config.Cadence(timedelta(seconds=2), timedelta(seconds=30))
    assert loaded.settings.timeouts == {"lspv": timedelta(seconds=90), "ioscli": MINUTE}
    assert [Path(file).name for file in loaded.files] == ["rmcagent.yaml", "10-a.yaml", "20-b.yaml"]


def test_a_contradiction_between_files_is_laid_to_the_key_that_is_wrong(folder):
    put(folder / "rmcagent.yaml", "cadence: {look: 30s}\n")
    put(folder / "conf.d/a.yaml", "\ncadence: {pulse: 40s}\n")

    assert refused(folder) == ["DIR/conf.d/a.yaml:2: cannot use cadence.pulse 40s: longer than cadence.look, write 30s or less"]


def test_mistakes_of_all_files_are_reported_together(folder):
    put(folder / "rmcagent.yaml", "mode: [\n")
    put(folder / "conf.d/a.yaml", "mde: act\n")

    told = refused(folder)

    assert told[0].startswith("DIR/rmcagent.yaml:2: cannot read it as YAML: ")
    assert told[1:] == ['DIR/conf.d/a.yaml:1: cannot use mde: unknown key, did you mean "mode"?']


def test_a_file_whose_name_ends_otherwise_is_warned_of(folder):
    put(folder / "conf.d/site.yml", "mode: act\n")

    loaded = config.load(str(folder / "rmcagent.yaml"))

    assert loaded.settings.mode == "shadow"
    assert [warning.text for warning in loaded.warnings] == ["is not read, for its name does not end in .yaml"]


def test_a_missing_configuration_is_a_mistake_with_its_mend(tmp_path):
    assert refused(tmp_path) == ["DIR/rmcagent.yaml: cannot read DIR/rmcagent.yaml: No such file or directory; "
                                 "install it or give --config F"]


def test_no_conf_d_is_no_mistake(folder):
    (folder / "conf.d").rmdir()

    assert config.load(str(folder / "rmcagent.yaml")).settings.mode == "shadow"


def test_what_is_not_a_file_of_text_is_refused(folder):
    os.mkfifo(folder / "conf.d/a.yaml", 0o644)
    (folder / "conf.d/b.yaml").mkdir(mode=0o755)
    put(folder / "conf.d/c.yaml", "#" * (1 << 20) + "\n")
    put(folder / "conf.d/d.yaml", "mode: act\n").write_bytes(b"mode: act\n\n# caf\xe9\n")

    told = refused(folder)

    assert [line for line in told if line.startswith(("DIR/conf.d/a", "DIR/conf.d/c", "DIR/conf.d/d"))] == [
        "DIR/conf.d/a.yaml: cannot read it: not a regular file",
        "DIR/conf.d/c.yaml: cannot read it: larger than 1MiB",
        "DIR/conf.d/d.yaml:3: cannot read it: byte 0xe9 is not UTF-8, save it as UTF-8"]
    assert any(line.startswith("DIR/conf.d/b.yaml: cannot read") for line in told)


def test_what_others_may_write_is_refused(folder):
    put(folder / "rmcagent.yaml", "mode: shadow\n", 0o664)
    put(folder / "conf.d/a.yaml", "mode: act\n", 0o646)
    (folder / "conf.d").chmod(0o775)

    assert refused(folder) == [
        "DIR/conf.d: cannot trust it: others may write it (mode 0775); run: chmod go-w DIR/conf.d",
        "DIR/rmcagent.yaml: cannot trust it: others may write it (mode 0664); run: chmod go-w DIR/rmcagent.yaml",
        "DIR/conf.d/a.yaml: cannot trust it: others may write it (mode 0646); run: chmod go-w DIR/conf.d/a.yaml"]


def test_a_folder_that_others_may_write_is_refused_unless_sticky(folder):
    folder.chmod(0o777)
    told = refused(folder)
    folder.chmod(0o1777)

    assert told == ["DIR: cannot trust it: others may write it (mode 0777); run: chmod go-w DIR"]
    assert config.load(str(folder / "rmcagent.yaml")).settings.mode == "shadow"


def test_behind_a_symbolic_link_the_file_and_its_folder_are_judged(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    put(elsewhere / "policy.yaml", "mode: observe\n")
    (folder / "conf.d/a.yaml").symlink_to(elsewhere / "policy.yaml")
    trusted = config.load(str(folder / "rmcagent.yaml"))
    elsewhere.chmod(0o777)

    told = refused(folder)

    assert trusted.settings.mode == "observe"
    assert told == [f"{elsewhere}: cannot trust it: others may write it (mode 0777); run: chmod go-w {elsewhere}"]


# ---- files that others could choose

SECRET = "x9f3c17e"


@pytest.fixture
def secret(tmp_path_factory) -> Path:
    """A file of ours that is no configuration, where nobody else can write."""
    return put(tmp_path_factory.mktemp("private") / "secret", f"mode: {SECRET}\ncadence: {{pulse: 3{SECRET}}}\n", 0o600)


LINK = "cannot trust it: a symbolic link that somebody else may have made; put the file itself there"
HARD_LINK = "cannot trust it: a hard link that somebody else may have made; put a copy there"


@pytest.mark.parametrize("mode", [0o1777, 0o1775])
def test_in_a_folder_that_others_may_write_no_link_is_followed(mode, folder, secret):
    (folder / "conf.d").chmod(mode)
    (folder / "conf.d/a.yaml").symlink_to(secret)
    os.link(secret, folder / "conf.d/b.yaml")

    assert refused(folder) == [f"DIR/conf.d/a.yaml: {LINK}", f"DIR/conf.d/b.yaml: {HARD_LINK}"]


def test_where_only_we_may_write_links_are_followed_and_quoted(folder, secret):
    (folder / "conf.d/a.yaml").symlink_to(secret)
    os.link(secret, folder / "conf.d/b.yaml")

    assert [SECRET in line for line in refused(folder)] == [True] * 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_of_somebody_else_is_not_followed_wherever_it_lies(folder, secret):
    (folder / "conf.d/a.yaml").symlink_to(secret)
    os.chown(folder / "conf.d/a.yaml", 4711, -1, follow_symlinks=False)

    assert refused(folder) == [f"DIR/conf.d/a.yaml: {LINK}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_in_a_folder_of_somebody_else_no_link_is_followed_whoever_made_it(folder, secret):
    (folder / "conf.d/a.yaml").symlink_to(secret)
    os.link(secret, folder / "conf.d/b.yaml")
    os.chown(folder / "conf.d", 4711, -1)

    assert refused(folder)[1:] == [f"DIR/conf.d/a.yaml: {LINK}", f"DIR/conf.d/b.yaml: {HARD_LINK}"]


def test_a_hard_link_behind_a_link_is_not_followed(folder, secret, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    elsewhere.chmod(0o1777)
    os.link(secret, elsewhere / "policy.yaml")
    (folder / "conf.d/a.yaml").symlink_to(elsewhere / "policy.yaml")

    assert refused(folder) == [f"DIR/conf.d/a.yaml: {HARD_LINK}"]


def test_a_folder_that_is_a_link_of_somebody_else_is_not_listed(folder, secret):
    put(secret.parent / "a.yaml", f"mode: {SECRET}\n")
    (folder / "conf.d").rmdir()
    (folder / "conf.d").symlink_to(secret.parent)
    secret.parent.chmod(0o755)
    folder.chmod(0o1777)

    assert refused(folder) == [f"DIR/conf.d: {LINK}"]


def test_a_link_that_came_in_between_is_not_followed(folder, secret, monkeypatch):
    (folder / "conf.d/a.yaml").symlink_to(secret)
    regular = os.lstat(secret)
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path, **named: regular if str(path).endswith("a.yaml") else real(path, **named))

    (told,) = refused(folder)

    assert told.startswith("DIR/conf.d/a.yaml: cannot read DIR/conf.d/a.yaml: ")


def test_of_a_file_that_others_could_change_no_value_is_repeated(folder):
    text = f"mode: {SECRET}\ncadence: {{pulse: 41, look: 40s, {SECRET}: 5}}\ntimeout: [{SECRET}]\nguards: {{evidence: 10h}}\n"
    put(folder / "rmcagent.yaml", text, 0o646)
    put(folder / "conf.d/a.yaml", f"a: &{SECRET} [\n", 0o646)
    put(folder / "conf.d/b.yaml", "network: {ports: [x]}\n")

    told = [line for line in refused(folder) if "cannot trust it" not in line]

    assert told == [
        "DIR/rmcagent.yaml:1: cannot use mode: write act, shadow or observe",
        "DIR/rmcagent.yaml:2: cannot use cadence.pulse: write a duration such as 90s",
        f"DIR/rmcagent.yaml:2: cannot use cadence.{SECRET}: unknown key, known are pulse, look",
        "DIR/rmcagent.yaml:3: cannot use timeout: write a duration such as 90s",
        "DIR/rmcagent.yaml:4: cannot use guards.evidence: write a duration from 1s to 10m",
        "DIR/conf.d/a.yaml:2: cannot read it as YAML",
        'DIR/conf.d/b.yaml:1: cannot use network.ports "x": write a whole number from 1 to 65535']


@pytest.mark.parametrize("where", ["conf.d", "behind"])
def test_of_a_file_in_a_folder_that_others_may_write_no_value_is_repeated(where, folder):
    (folder / "behind").mkdir()
    put(folder / where / "b.yaml", f"mode: {SECRET}\n")
    if where == "behind":
        (folder / "conf.d/a.yaml").symlink_to("../behind/b.yaml")
    (folder / where).chmod(0o777)

    (told,) = [line for line in refused(folder) if "cannot trust it" not in line]

    assert told.endswith(".yaml:1: cannot use mode: write act, shadow or observe")


def test_no_rule_repeats_a_value_of_a_file_that_others_could_change(folder):
    put(folder / "rmcagent.yaml", "cadence: {pulse: 41s, look: 40s}\n", 0o646)

    assert not any("41s" in line for line in refused(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_trusts_only_what_root_owns_and_another_user_also_his_own(folder, monkeypatch):
    os.chown(folder / "rmcagent.yaml", 4711, -1)
    told = refused(folder)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    own = config.load(str(folder / "rmcagent.yaml"))
    monkeypatch.setattr(os, "geteuid", lambda: 4712)

    assert told == ["DIR/rmcagent.yaml: cannot trust it: its owner is uid 4711; run: chown root DIR/rmcagent.yaml"]
    assert own.settings.mode == "shadow"
    assert refused(folder) == told


def test_a_platform_that_contradicts_what_is_seen_is_warned_of(folder):
    put(folder / "rmcagent.yaml", "\nplatform: vios\n")
    path = str(folder / "rmcagent.yaml")

    assert [(warning.line, warning.text) for warning in config.load(path, "linux").warnings] == [
        (2, "platform is vios, but this looks like linux")]
    assert config.load(path, "vios").warnings == () and config.load(path).warnings == ()


@pytest.mark.real
def test_yaml_is_imported_late_and_its_pure_python_part_suffices():
    code = ("import sys; from rmcagent import config; assert 'yaml' not in sys.modules; sys.modules['yaml._yaml'] = None; "
            "print(config.parse('mode: observe').settings.mode, sys.modules['yaml'].__with_libyaml__)")

    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "agent")}, capture_output=True, text=True,
                          timeout=60)

    assert done.stdout == "observe False\n", done.stderr
