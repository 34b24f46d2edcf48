"""What holds of every parser, whatever the state: what a voice says is heard, and damage is noticed or does no harm."""
from __future__ import annotations

import re
from datetime import datetime, timezone
from random import Random
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from rmcagent.model import Answer, ControlPoint, DomainStatus, Link, ManagementServer, PeerDomain, Platform, State, Subsystem
from rmcagent.partition import parse
from rmcagent.partition.parse import ErrptRow, Unreadable
from rmcagent.partition.parse.lines import is_echo
from rmcagent.sim import voices
from test_parse import EXITS, PARSERS, READ, attempt, capture, foo, mcp, said, servers
from test_parse_fuzz import PIECES, mangle, outcome, planted

MORE, FEW = settings(max_examples=100), settings(max_examples=50)
ANSWERS = {name: capture(name) for name in READ}
HEALTHY = [name for name, (_, nouns) in READ.items() if nouns is not Unreadable and EXITS[f"{name}.txt"] == 0]

# ---- what a partition can be -------------------------------------------------------------------------------------------

NODE_IDS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**63, 2**64 - 1])).map(lambda number: f"{number:016x}")
V4 = st.ip_addresses(v=4, network="198.51.100.0/24").map(str)
LINK_LOCAL = st.ip_addresses(v=6, network="fe80::/64").map(str)
V6 = st.one_of(st.ip_addresses(v=6, network="2001:db8::/32").map(str),
               st.builds("{}%{}".format, LINK_LOCAL, st.sampled_from(["en0", "eth1", "3"])))
HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.example\.com)?", fullmatch=True)
ADDRESSES = st.one_of(V4, V6, HOSTS)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,30}", fullmatch=True)
SUBSYSTEMS = st.one_of(st.sampled_from(["ctrmc", "cthags", "IBM.MgmtDomainRM", "IBM.DRM", "rpc.mountd", "ndpd-host", "gsclvmd"]),
                       NAMES.filter(lambda name: not re.search("active|inoperative", name)))
GROUPS = st.one_of(st.just(""), st.sampled_from(["rsct", "rsct_rm", "caa", "cthags"]))
HMC_NAMES = st.from_regex(r"[0-9V][0-9a-zA-Z]{3}[0-9A-Za-z]{3}\*[0-9A-Z]{7}", fullmatch=True)
STATES_OF_A_DOMAIN = ["Online", "Offline", "Pending online", "Pending offline", "Failed", "Unknown"]


@st.composite
def subsystems(draw: st.DrawFn) -> Subsystem:
    state = draw(st.sampled_from(State))
    if state is State.UNKNOWN:
        return Subsystem(draw(SUBSYSTEMS), state)
    pid = None if state is State.INOPERATIVE else draw(st.one_of(st.none(), st.integers(1, 2**31)))
    return Subsystem(draw(SUBSYSTEMS), state, draw(GROUPS), pid)


CONTROL_POINTS = st.builds(ControlPoint, NODE_IDS, ADDRESSES, st.sampled_from(Link), st.booleans())
STATUSES = st.builds(DomainStatus, *(st.lists(one, max_size=6, unique=True).map(tuple) for one in (CONTROL_POINTS, HOSTS, HOSTS)))
DOMAINS = st.lists(st.builds(PeerDomain, NAMES, st.sampled_from(STATES_OF_A_DOMAIN)), max_size=5, unique=True).map(tuple)


@st.composite
def hmcs(draw: st.DrawFn) -> ManagementServer:
    """Known by its own address first, then by the others of IPv4, then by those of IPv6, as the class lists them."""
    lead = draw(st.one_of(V4, V6))
    others = [one for one in draw(st.lists(st.one_of(V4, V6), max_size=5, unique=True)) if one != lead]
    others.sort(key=lambda address: ":" in address)
    return ManagementServer(lead, draw(HMC_NAMES), draw(NODE_IDS), (lead, *others), draw(st.one_of(st.just(""), NAMES)))


# ---- what a voice says is heard ----------------------------------------------------------------------------------------


@MORE
@given(st.lists(subsystems(), min_size=1, max_size=80, unique_by=lambda row: row.name), st.sampled_from(Platform))
def test_rows_of_subsystems_are_heard_as_they_were_said(rows: List[Subsystem], platform: Platform) -> None:
    # Where no status is known, nothing tells that this is a table of lssrc at all, but for its header.
    assert parse.lssrc(said(voices.lssrc(rows, platform))) == {row.name: row for row in rows}


@FEW
@given(st.lists(subsystems(), min_size=1, max_size=5), st.sampled_from(Platform), st.randoms(use_true_random=False))
def test_no_row_that_is_down_hides_one_that_runs(rows: List[Subsystem], platform: Platform, chance: Random) -> None:
    doubled = [*rows, *(Subsystem(row.name, State.INOPERATIVE, row.group) for row in rows)]
    chance.shuffle(doubled)

    found = parse.lssrc(said(voices.lssrc(doubled, platform)))

    for row in rows:
        assert found[row.name].state is not State.INOPERATIVE or {one.state for one in rows if one.name == row.name} == {
            State.INOPERATIVE}


@MORE
@given(STATUSES)
def test_hmcs_and_nodes_are_heard_as_they_were_said(status: DomainStatus) -> None:
    assert parse.rmcdomainstatus(said(voices.rmcdomainstatus(status))) == status


@MORE
@given(st.lists(hmcs(), max_size=8).map(tuple), HOSTS, st.one_of(V4, V6))
def test_resources_of_hmcs_are_heard_as_they_were_said(known: Tuple[ManagementServer, ...], node: str, own: str) -> None:
    assert mcp(said(voices.lsrsrc_mcp(known, node, own))) == known


@FEW
@given(st.lists(st.builds(lambda address, domain: ManagementServer(address, addresses=(address,), active_peer_domain=domain),
                          ADDRESSES, st.one_of(st.just(""), NAMES)), max_size=5).map(tuple))
def test_older_resources_of_hmcs_are_heard_as_they_were_said(known: Tuple[ManagementServer, ...]) -> None:
    assert servers(said(voices.lsrsrc_management_server(known))) == known


@FEW
@given(DOMAINS)
def test_peer_domains_are_heard_as_they_were_said(domains: Tuple[PeerDomain, ...]) -> None:
    assert parse.lsrpdomain(said(voices.lsrpdomain(domains))) == domains


@FEW
@given(st.lists(ADDRESSES, max_size=5, unique=True), st.sampled_from(Platform), st.one_of(st.none(), st.integers(1, 2**31)))
def test_hosts_in_band_are_heard_as_they_were_said(hosts: List[str], platform: Platform, pid: Optional[int]) -> None:
    row = Subsystem("mcproxy", State.ACTIVE, "rsct", pid)

    assert parse.mcproxy(said(voices.mcproxy(row, hosts, platform))) == tuple(hosts)


@FEW
@given(st.sampled_from([one for one in State if one is not State.ACTIVE]), st.lists(ADDRESSES, max_size=2))
def test_a_proxy_that_is_not_active_tells_of_no_host_and_of_none_missing(state: State, hosts: List[str]) -> None:
    text = voices.mcproxy(Subsystem("mcproxy", state, "rsct"), hosts, Platform.AIX)

    assert isinstance(attempt(parse.mcproxy, said(text)), Unreadable) or (state is State.UNKNOWN and hosts)


@FEW
@given(NAMES, st.from_regex(r"[a-z]{1,12}[0-9]{0,4}", fullmatch=True), st.booleans(), HOSTS)
def test_clusters_are_heard_as_they_were_said(name: str, disk: str, active: bool, node: str) -> None:
    caa = voices.lscluster_m(name, node)

    assert parse.lscluster(said(caa.stdout, caa.stderr, caa.exit_code)) == "State of node: UP NODE_LOCAL"
    assert parse.lspv(said(voices.lspv(disk, active))) == disk
    assert parse.odm_hacmpcluster(said(voices.odm_hacmpcluster(name).stdout)) == name
    assert parse.ioscli_cluster(said(f"{name}\n")) == parse.ct_clusterinfo(said(f"{name}\n")) == name


def test_no_cluster_is_heard_as_it_was_said() -> None:
    for parser, voice in ((parse.lscluster, voices.lscluster_m("")), (parse.odm_hacmpcluster, voices.odm_hacmpcluster(""))):
        assert parser(said(voice.stdout, voice.stderr, voice.exit_code)) == ""
    assert parse.lspv(said(voices.lspv())) == ""


@FEW
@given(st.lists(st.builds(voices.LogEntry, st.sampled_from(sorted(voices.ERRORS)),
                          st.datetimes(datetime(2020, 1, 1), datetime(2068, 12, 31), timezones=st.just(timezone.utc)))))
def test_the_error_log_is_heard_as_it_was_said(entries: List[voices.LogEntry]) -> None:
    told = [(entry, voices.ERRORS[entry.label]) for entry in entries]

    assert parse.errpt(said(voices.errpt(entries))) == tuple(
        ErrptRow(identifier, entry.at.strftime("%m%d%H%M%y"), kind, class_, resource, text)
        for entry, (identifier, kind, class_, resource, text) in told)


@FEW
@given(NODE_IDS, st.dictionaries(NAMES.filter(str.isalpha), st.text("az AZ09/;{}[]=:#$\"'-_.%"), min_size=1, max_size=5))
def test_identity_and_units_are_heard_as_they_were_said(node_id: str, properties: Mapping[str, str]) -> None:
    heard = parse.systemctl_show(said(voices.systemctl_show(properties)))

    assert parse.node_id(voices.node_id_file(node_id)) == node_id
    assert heard == {key: text.rstrip() for key, text in properties.items() if key.lower() != "rmckey"}


@FEW
@given(SUBSYSTEMS, SUBSYSTEMS)
def test_not_on_file_is_heard_of_the_one_that_was_asked_for(name: str, other: str) -> None:
    voice = voices.not_on_file(name)
    answer = said(voice.stdout, voice.stderr, voice.exit_code)

    assert parse.lssrc_one(answer, name) is None
    assert other in voice.stderr or isinstance(attempt(lambda one: parse.lssrc_one(one, other), answer), Unreadable)


# ---- how it is spelt ---------------------------------------------------------------------------------------------------

BLANKS = st.sampled_from([" ", "  ", "\t", " \t ", "      "])


@MORE
@given(st.sampled_from(HEALTHY), st.data())
def test_blanks_ends_of_lines_and_blank_lines_mean_nothing(name: str, data: st.DataObject) -> None:
    """Within quotes blanks are the value's own; before a row they may be lost, and between columns be any."""
    parser, nouns = READ[name]
    between, before, behind = data.draw(BLANKS), data.draw(st.sampled_from(["", " ", "\t", "    "])), data.draw(
        st.sampled_from(["\n", "\r\n", " \n", "\n\n", "\n \t\n"]))
    lines = ANSWERS[name].stdout.rstrip("\n").split("\n")
    keeps_its_blanks = parser in (parse.errpt, parse.systemctl_show, parse.node_id)
    folded = [line if re.search("[\"']", line) else re.sub(r"[ \t]+", between, line.strip()) for line in lines]

    spelt = lines if keeps_its_blanks else [before + line for line in folded]

    assert parser(said("\n" + behind.join(spelt) + behind)) == nouns


@FEW
@given(STATUSES, st.randoms(use_true_random=False))
def test_the_order_of_rows_within_a_section_means_nothing(status: DomainStatus, chance: Random) -> None:
    sections = [section.split("\n") for section in voices.rmcdomainstatus(status).rstrip("\n").split("\n\n")]
    for title_and_rows in sections:
        rows = title_and_rows[1:]
        chance.shuffle(rows)
        title_and_rows[1:] = rows
    chance.shuffle(sections)

    found = parse.rmcdomainstatus(said("\n".join(line for section in sections for line in section) + "\n"))

    assert [set(part) for part in vars(found).values()] == [set(part) for part in vars(status).values()]


TRAILING = ["# ", "$", "host1:/#", "[root@n1 ~]# ", "root@n1 /tmp # exit", "hscroot@hmc1:~>", "logout", "exit",
            "You have new mail.", "Connection to 192.0.2.1 closed.", "Broadcast message from root", "Terminated",
            "Killed by signal 15.", ":", "Done:"]


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("around", TRAILING)
def test_a_prompt_or_a_word_around_an_answer_is_left_out_or_noticed(name: str, around: str) -> None:
    parser, nouns = READ[name]
    text = ANSWERS[name].stdout

    results = [attempt(parser, said(whole)) for whole in (text + around + "\n", around + "\n" + text)]

    for result in results:
        if parser is parse.lssrc and not isinstance(result, Unreadable):    # two words may be a row of a status never heard of
            assert all(row.state is State.UNKNOWN for row in result.values() if nouns.get(row.name) != row)
        else:
            assert isinstance(result, Unreadable) or result == nouns
    assert isinstance(attempt(parser, said(text + around)), Unreadable)


# ---- when it was changed -----------------------------------------------------------------------------------------------


def harm(parser: Callable[[Answer], Any], found: Any, whole: Any) -> str:
    """What a reading claims that would make the agent act, or act where it must not, though the whole says otherwise."""
    if isinstance(found, Unreadable) or whole in (None, ()):
        return ""
    if parser is parse.lssrc:
        return next((f"{name} is down" for name, row in found.items()
                     if row.state is State.INOPERATIVE and name in whole and whole[name].state is not State.INOPERATIVE), "")
    if parser is parse.rmcdomainstatus:
        return _harm_to_links(found, whole)
    if parser is parse.mcproxy:
        return "" if found else "nobody in band"        # one that is left holds back as much as two
    if parser in (mcp, servers, foo, parse.errpt):
        return f"{len(found)} of {len(whole)}" if len(found) < len(whole) else ""
    if parser is parse.lsrpdomain:
        offline = [one.state == "Offline" for one in whole]
        return "no objection" if not found or (all(one.state == "Offline" for one in found) and not all(offline)) else ""
    if parser in (parse.lscluster, parse.lspv, parse.odm_hacmpcluster, parse.ioscli_cluster, parse.ct_clusterinfo):
        return "no cluster" if whole and not found else ""
    return ""


def _harm_to_links(found: DomainStatus, whole: DomainStatus) -> str:
    if len(found.control_points) < len(whole.control_points):
        return "fewer HMCs"
    up = {word for point in whole.control_points if point.link is Link.UP for word in (point.node_id, point.address)}
    down = (Link.DOWN, Link.PENDING, Link.SUSPENDED, Link.FLAPPING)
    faults = [point for point in found.control_points if point.link in down and {point.node_id, point.address} & up]
    return f"{faults} while up" if faults else "no peer domain" if whole.peers and not found.peers else ""


# The word that is the claim itself: an answer that has another there tells of something else.
CLAIMS = re.compile(r'caavg_private|"|^Hostname:?$')
FOREIGN = ["\u6d3b\u52a8", "\u7ba1\u7406", "activo", "inoperativo", "En", "l\u00ednea", "\ufffd\ufffd", "??", "0", "-",
           "\x1b[31m", "\uff1a"]


@MORE
@given(st.sampled_from(HEALTHY), st.data())
def test_a_word_in_another_language_is_noticed_or_does_no_harm(name: str, data: st.DataObject) -> None:
    parser, nouns = READ[name]
    words = [match for match in re.finditer(r"\S+", ANSWERS[name].stdout) if not CLAIMS.search(match.group())]
    word, other = data.draw(st.sampled_from(words)), data.draw(st.sampled_from(FOREIGN))
    text = ANSWERS[name].stdout[:word.start()] + other + ANSWERS[name].stdout[word.end():]
    note(text)

    assert harm(parser, attempt(parser, said(text)), nouns) == ""


@FEW
@given(st.sampled_from(HEALTHY), st.lists(st.sampled_from(voices.TRANSLATIONS), min_size=1))
def test_a_translated_answer_is_noticed_or_does_no_harm(name: str, translations: List[Tuple[str, str]]) -> None:
    parser, nouns = READ[name]
    text = ANSWERS[name].stdout
    for ours, theirs in translations:
        text = text.replace(ours, theirs)
    note(text)

    assert harm(parser, attempt(parser, said(text)), nouns) == ""


@MORE
@given(st.sampled_from(HEALTHY), st.data())
def test_columns_that_changed_places_are_noticed_or_do_no_harm(name: str, data: st.DataObject) -> None:
    parser, nouns = READ[name]
    lines = ANSWERS[name].stdout.split("\n")
    at = data.draw(st.sampled_from([number for number, line in enumerate(lines) if len(line.split()) > 1] or [0]))
    words = lines[at].split()
    one, other = (data.draw(st.integers(0, len(words) - 1)) for _ in range(2))
    words[one], words[other] = words[other], words[one]
    lines[at] = " ".join(words)
    note("\n".join(lines))

    assert harm(parser, attempt(parser, said("\n".join(lines))), nouns) == ""


@pytest.mark.parametrize("hosts", [["hmc-a.example.com"], ["192.0.2.7"], ["fe80::1%en0"], ["2001:db8::53"]])
def test_hosts_in_band_under_a_translated_title_are_not_overlooked(hosts: List[str]) -> None:
    text = voices.mcproxy(Subsystem("mcproxy", State.ACTIVE, "rsct", 7), hosts, Platform.AIX).replace("Hostname", "Nombre")

    assert isinstance(attempt(parse.mcproxy, said(text)), Unreadable)


def test_every_line_of_lscluster_but_the_first_two_tells_by_itself_or_with_its_neighbour() -> None:
    """A node may be DOWN, a language another: what is left of a cluster's listing is never taken for no cluster."""
    lines = voices.lscluster_m("foo_clu").stdout.split("\n")[:-1]

    for at in range(len(lines)):
        left = lines[:at] + lines[at + 1:]
        assert parse.lscluster(said("\n".join(left) + "\n")) != ""
    translated = [line if "-" in line else re.sub("[A-Za-z]+:?", "\u8282\u70b9", line) for line in lines]
    assert parse.lscluster(said("\n".join(translated) + "\n")) != ""


# ---- when it was cut ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READ)
def test_an_answer_that_is_known_to_be_cut_is_unreadable_at_every_byte(name: str) -> None:
    parser, text = READ[name][0], ANSWERS[name].stdout

    for end in range(len(text) + 1):
        kept = text[:end]
        for answer in (said(kept, cut=True), said(kept, timed_out=True), said(kept, code=None), said(kept, code=-15)):
            assert isinstance(attempt(parser, answer), Unreadable)
        assert not kept or kept.endswith("\n") or isinstance(attempt(parser, said(kept)), Unreadable)


SILENCE: Dict[Callable[[Answer], Any], Any] = {
    parse.rmcdomainstatus: DomainStatus(),       # documented: in no domain
    parse.lsrpdomain: (), parse.lscluster: "", parse.odm_hacmpcluster: "", parse.ioscli_cluster: "",
}


@pytest.mark.parametrize("parser", [*PARSERS, foo])
@pytest.mark.parametrize("text", ["", "\n", " \n\r\n"])
def test_silence_is_an_answer_of_five_commands_only(parser: Callable[[Answer], Any], text: str) -> None:
    result = attempt(parser, said(text))

    if parser is parse.ct_clusterinfo and text:
        assert result == ""                      # a blank line is its word for no name
    elif parser in SILENCE:
        assert result == SILENCE[parser]
    else:
        assert isinstance(result, Unreadable)


def cuts(text: str) -> List[str]:
    """What is left where a line ends, and something was said before it."""
    lines = text.split("\n")
    kept = ["\n".join(lines[:count]) + "\n" for count in range(1, len(lines))]
    return [one for one in kept if not all(is_echo(line) or not line.strip() for line in one.split("\n"))]


def beginnings(found: Sequence[Any], whole: Sequence[Any]) -> bool:
    return tuple(found) == tuple(whole)[:len(found)]


@pytest.mark.parametrize("name", [name for name in HEALTHY if READ[name][0] is parse.lssrc])
def test_rows_before_the_cut_are_the_rows_of_the_whole(name: str) -> None:
    """A row that is missing is no row that is down: it is asked for by name."""
    for kept in cuts(ANSWERS[name].stdout):
        found = attempt(parse.lssrc, said(kept))

        assert isinstance(found, Unreadable) or found.items() <= READ[name][1].items()


@FEW
@given(STATUSES)
def test_no_hmc_is_down_and_no_section_empty_because_of_a_cut(status: DomainStatus) -> None:
    """HMCs behind the cut are missing, which no reader can know; the title of a section without a row is noticed."""
    text = voices.rmcdomainstatus(status)
    reached = [title for title in ("Peer Domain Status", "Control Points") if title in text]

    for kept in cuts(text):
        found = attempt(parse.rmcdomainstatus, said(kept))

        if not isinstance(found, Unreadable):
            assert beginnings(found.control_points, status.control_points) and beginnings(found.managed, status.managed)
            assert beginnings(found.peers, status.peers) and bool(found.peers) == bool(status.peers)
            assert bool(found.control_points) == ("Control Points" in kept) or "Control Points" not in reached


@FEW
@given(st.lists(hmcs(), min_size=1, max_size=3).map(tuple))
def test_resources_before_the_cut_are_those_of_the_whole_and_the_last_may_lack_some(known: Tuple[ManagementServer, ...]) -> None:
    """The title alone is the listing of an empty class, as far as was ever seen."""
    for kept in cuts(voices.lsrsrc_mcp(known)):
        found = attempt(mcp, said(kept))

        if isinstance(found, Unreadable) or not found:
            assert kept.endswith("resource 1:\n") or re.search(r"(IBM.MCP|resource [0-9]+:)\n$", kept)
            continue
        last, of_whole = found[-1], known[len(found) - 1]
        assert beginnings(found[:-1], known)
        assert last.name in ("", of_whole.name) and last.node_id in ("", of_whole.node_id)
        assert set(last.addresses) <= set(of_whole.addresses) and last.active_peer_domain in ("", of_whole.active_peer_domain)


@FEW
@given(DOMAINS.filter(bool))
def test_a_cut_listing_of_peer_domains_is_never_none(domains: Tuple[PeerDomain, ...]) -> None:
    results = [attempt(parse.lsrpdomain, said(kept)) for kept in cuts(voices.lsrpdomain(domains))]

    assert isinstance(results[0], Unreadable)
    assert results[1:] == [domains[:count] for count in range(1, len(domains) + 1)]


def test_a_cut_session_of_listings_is_never_none() -> None:
    for name in ("lsrpdomain--offline", "lsrpdomain--pending", "lsrpdomain--three-listings", "lsrpdomain--online"):
        assert all(attempt(parse.lsrpdomain, said(kept)) != () for kept in cuts(ANSWERS[name].stdout))


def test_a_cut_listing_of_caas_nodes_is_never_none() -> None:
    assert all(attempt(parse.lscluster, said(kept)) != "" for kept in cuts(voices.lscluster_m("foo_clu").stdout))


def test_a_cut_stanza_of_powerha_is_never_none() -> None:
    results = [attempt(parse.odm_hacmpcluster, said(kept)) for kept in cuts(voices.odm_hacmpcluster("foo").stdout)]

    assert results == ["unnamed", "unnamed", "foo", "foo", "foo"]


def test_disks_behind_the_cut_are_missing_which_no_reader_can_know() -> None:
    """Hence lspv alone never frees a cluster's node: CAA's own command and subsystems are asked, too."""
    results = [attempt(parse.lspv, said(kept)) for kept in cuts(voices.lspv("hdisk2"))]

    assert results == ["", "", "hdisk2"]


def test_hosts_in_band_before_the_cut_are_those_of_the_whole() -> None:
    text = voices.mcproxy(Subsystem("mcproxy", State.ACTIVE, "rsct", 7), ["a", "b"], Platform.AIX)

    header, *results = [attempt(parse.mcproxy, said(kept)) for kept in cuts(text)]

    assert isinstance(header, Unreadable)
    assert results == [(), ("a",), ("a", "b")]


@pytest.mark.parametrize("name", [name for name in HEALTHY if READ[name][0] in (
    parse.errpt, parse.systemctl_show, parse.clstrmgr, parse.node_id, parse.ioscli_cluster, parse.ct_clusterinfo)])
def test_what_is_heard_before_the_cut_is_what_the_whole_begins_with(name: str) -> None:
    parser, nouns = READ[name]

    for kept in cuts(ANSWERS[name].stdout):
        found = attempt(parser, said(kept))

        if isinstance(nouns, str):
            assert isinstance(found, Unreadable) or found == nouns
        else:
            assert beginnings(list(found.items() if isinstance(found, dict) else found),
                              list(nouns.items() if isinstance(nouns, dict) else nouns))


# ---- whatever it is ----------------------------------------------------------------------------------------------------

ANYTHING = st.text(st.one_of(st.characters(), st.characters(categories=["Cs", "Cc", "Cf", "Zs"])), max_size=200)


@FEW
@given(st.one_of(ANYTHING, st.lists(st.one_of(st.sampled_from(PIECES), ANYTHING), max_size=12).map("".join)), ANYTHING,
       st.sampled_from([0, 1, 6]))
def test_any_text_is_nouns_or_unreadable(text: str, stderr: str, code: int) -> None:
    for parser in (*PARSERS, foo):
        outcome(parser, said(text + "\n", stderr, code))


@MORE
@given(st.sampled_from(sorted(READ)), st.randoms(use_true_random=False), st.booleans())
def test_a_mangled_capture_is_nouns_or_unreadable_and_holds_no_key(name: str, chance: Random, with_a_key: bool) -> None:
    text = mangle(ANSWERS[name].stdout, chance)
    text = planted(text, chance) if with_a_key else text
    note(text[:2000])

    for parser in (READ[name][0], mcp, servers, parse.lscluster):
        outcome(parser, said(text + "\n"))
        outcome(parser, said(ANSWERS[name].stdout, text, 1))
