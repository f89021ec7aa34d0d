"""Role hardening on every machine: sshd as it really behaves, accounts, packet filter, journal, what runs."""

from __future__ import annotations

import re

import pytest

from inventory.model import Role
from tests.lab.role_hosts import ROUTER_ROLES, eventually, lines, machine, names, province, spool_end, spooled

EVERYONE = pytest.mark.parametrize("name", names())
ROUTERS = pytest.mark.parametrize("name", names(*ROUTER_ROLES))
LISTENING = {  # what may listen on an address others reach, by role; the loopback is nobody else's
    Role.SOC: {"tcp/22", "tcp/514", "tcp/6514", "tcp/8443", "udp/514", "udp/162", "udp/123", "udp/161"},
    Role.APPLICATION: {"tcp/22", "tcp/443", "udp/161"},
}
ELSEWHERE = {"tcp/22", "udp/161"}


def _sshd(name: str, connection: str) -> dict[str, str]:
    """The settings sshd would use for a connection, as sshd itself says."""
    return dict(line.partition(" ")[::2] for line in lines(name, "/usr/sbin/sshd -T -C %s", connection))


@EVERYONE
def test_sshd_takes_keys_only(name: str) -> None:
    settings = _sshd(name, "user=ansible,host=x,addr=10.250.64.138")
    assert settings["permitrootlogin"] == "no"
    assert settings["passwordauthentication"] == settings["kbdinteractiveauthentication"] == "no"
    assert settings["loglevel"] == "VERBOSE"
    assert settings["allowtcpforwarding"] == settings["x11forwarding"] == "no"
    assert settings["banner"] == "/etc/issue.net"
    assert not re.search(
        r"cbc|arcfour|3des|md5|sha1\b", " ".join(settings[k] for k in ("ciphers", "macs", "kexalgorithms"))
    )


@ROUTERS
def test_netops_may_use_a_password_from_the_management_network_alone(name: str) -> None:
    station = province().lab
    assert station is not None
    assert _sshd(name, f"user=netops,host=x,addr={station.station.ip}")["passwordauthentication"] == "yes"
    assert _sshd(name, "user=netops,host=x,addr=10.250.64.138")["passwordauthentication"] == "no"


@EVERYONE
def test_accounts_are_those_declared(name: str) -> None:
    accounts = [line.split(":") for line in lines(name, "getent passwd")]
    with_shell = {a[0] for a in accounts if a[6] not in ("/usr/sbin/nologin", "/bin/false", "/bin/sync")}
    assert with_shell - {"root"} == {"ansible", *(["netops"] if province().devices[name].is_router else [])}
    assert not {a[0] for a in accounts} & {"games", "news", "uucp", "list", "irc"}
    assert [a[0] for a in accounts if a[2] == "0"] == ["root"]


@EVERYONE
def test_no_account_but_netops_has_a_password(name: str) -> None:
    usable = {f[0] for line in lines(name, "cat /etc/shadow") if not (f := line.split(":"))[1].startswith(("!", "*"))}
    assert usable == ({"netops"} if province().devices[name].is_router else set())


@EVERYONE
def test_the_filter_denies_what_it_does_not_know(name: str) -> None:
    ruleset = "\n".join(lines(name, "nft list ruleset"))
    for hook in ("input", "forward"):
        assert re.search(rf"type filter hook {hook} priority filter; policy drop;", ruleset)
    assert 'log prefix "canh:deny:input "' in ruleset
    assert machine(name).service("nftables").is_enabled, "the filter must be back after a restart"


@EVERYONE
def test_only_what_the_role_offers_listens(name: str) -> None:
    device = province().devices[name]
    offered = LISTENING.get(device.role, ELSEWHERE)
    found = set()
    for line in lines(name, "ss -H -lntup"):
        protocol, _, _, _, local, _, *process = line.split()
        address, _, port = local.rpartition(":")
        # The socket snmpd sends its traps from takes no requests and has another number each time.
        sends_only = protocol == "udp" and "snmpd" in "".join(process) and int(port) >= 32768
        if not (address.startswith(("127.", "[::1]")) or sends_only):
            found.add(f"{protocol}/{port}")
    assert found <= offered
    assert found >= ELSEWHERE


@EVERYONE
def test_only_routers_forward(name: str) -> None:
    forwards = lines(name, "cat /proc/sys/net/ipv4/ip_forward") == ["1"]
    assert forwards == province().devices[name].is_router
    assert lines(name, "cat /proc/sys/net/ipv4/conf/all/accept_redirects") == ["0"]


@EVERYONE
def test_nothing_has_failed_and_units_of_other_kinds_never_start(name: str) -> None:
    assert lines(name, "systemctl list-units --failed --no-legend --plain") == []
    role = province().devices[name].role
    for unit, roles in (("frr", ROUTER_ROLES), ("nginx", (Role.APPLICATION,))):
        state = machine(name).run("systemctl is-active %s", unit).stdout.strip()
        assert state == ("active" if role in roles else "inactive"), unit


def test_a_denied_connection_reaches_the_soc_with_every_field() -> None:
    """A commune's machine tries the application's ssh: its own router refuses, and tells."""
    pc, router, app = "hh-pc1", province().devices["hh-ce1"], province().devices["dc-app1"]
    since = spool_end()
    machine(pc).run("nc -z -w 1 %s 22", str(app.service_address))
    token = f"DST={app.service_address}".encode()
    found = eventually(lambda: [m for m in spooled(token, since) if "canh:deny:forward" in m[1]])
    assert found, "the denial did not arrive"
    peer, text = found[0]
    assert peer in {str(a) for a in router.addresses}
    source = province().devices[pc].service_address
    assert re.search(
        r" hh-ce1 ulogd \d+ - - canh:deny:forward +IN=eth2 OUT=eth1 MAC=[0-9a-f:]+ "
        rf"SRC={source} DST={app.service_address} LEN=60 .*PROTO=TCP SPT=\d+ DPT=22 ",
        text,
    )


def test_a_scan_is_told_line_by_line() -> None:
    """Rate limits anywhere on the way (nftables, ulogd2, journal, rsyslog) would hide ports from us."""
    app = province().devices["dc-app1"]
    since = spool_end()
    ports = range(20000, 20300)
    knock = f"for p in $(seq {ports[0]} {ports[-1]}); do (exec 3<>/dev/tcp/{app.service_address}/$p) & done"
    scan = f"{{ {knock}; sleep 1; kill $(jobs -p); }} 2>/dev/null"
    machine("tx-pc1").run("timeout 20 bash -c %s", scan)

    def told() -> set[int]:
        denied = spooled(f"DST={app.service_address}".encode(), since)
        return {int(m[1]) for _, text in denied if (m := re.search(r"canh:deny:forward .* DPT=(\d+) ", text))}

    eventually(lambda: set(ports) <= told(), within_s=20)
    assert set(ports) - told() == set()


def test_a_failed_login_reaches_the_soc() -> None:
    """The department may reach the application's ssh, but nobody knows it there."""
    since = spool_end()
    app = str(province().devices["dc-app1"].service_address)
    machine("stc-pc1").run(
        "sshpass -p guess ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null intruder@%s; true",
        app,
    )
    assert eventually(lambda: spooled(b"Invalid user intruder from", since)), "the failure did not arrive"
    assert eventually(lambda: [t for _, t in spooled(b"canh:allow:forward", since) if "DPT=22 " in t])
