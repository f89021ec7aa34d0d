"""Roles time, snmpd, forwarding, router, app, workstation and soc_host, each on every machine it is for."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from inventory.model import Role
from tests.lab.role_hosts import (
    DATA,
    ROUTER_ROLES,
    eventually,
    lines,
    machine,
    names,
    province,
    require_lab,
    secrets,
    spool_end,
    spooled,
)

EVERYONE = pytest.mark.parametrize("name", names())
ROUTERS = pytest.mark.parametrize("name", names(*ROUTER_ROLES))
SYS_NAME, ENGINE_ID = "1.3.6.1.2.1.1.5.0", "1.3.6.1.6.3.10.2.1.1.0"
SOC = province().soc.name
FOLLOWERS = pytest.mark.parametrize("name", [n for n in names() if n != SOC])


@FOLLOWERS
def test_time_comes_from_the_soc_host(name: str) -> None:
    soc = re.escape(str(province().soc.service_address))

    def is_followed() -> bool:
        return any(re.match(rf"\^\* {soc} ", line) for line in lines(name, "chronyc -n sources"))

    assert eventually(is_followed, within_s=60), lines(name, "chronyc -n sources")


def test_a_container_s_chronyd_does_not_touch_the_clock() -> None:
    assert "-x" in " ".join(lines(SOC, "ps -o args= -C chronyd"))


def _snmp(asker: str, target: str, oid: str, *, password: str | None = None) -> str:
    """What `asker` is told for one object of `target`; "" when it gets no answer."""
    snmp = secrets()["snmp"]
    done = machine(asker).run(
        "snmpget -t 1 -r 1 -Ovq -v 3 -l authPriv -u %s -a SHA-256 -A %s -x AES -X %s %s %s",
        snmp["user"],
        password or snmp["auth_password"],
        snmp["priv_password"],
        target,
        oid,
    )
    return str(done.stdout).strip().strip('"') if done.rc == 0 else ""


@EVERYONE
def test_the_agent_answers_the_soc_with_its_name_and_a_known_engine(name: str) -> None:
    address = str(province().devices[name].service_address)
    assert eventually(lambda: _snmp(SOC, address, SYS_NAME)) == name
    engine = _snmp(SOC, address, ENGINE_ID).replace(" ", "").lower()
    assert engine == "80001f8804" + name.encode().hex()


@EVERYONE
def test_the_agent_answers_no_community_and_no_wrong_key(name: str) -> None:
    address = str(province().devices[name].service_address)
    assert machine(SOC).run("snmpget -t 1 -r 0 -v 2c -c public %s %s", address, SYS_NAME).rc != 0
    assert _snmp(SOC, address, SYS_NAME, password="not-the-password") == ""


def test_the_agent_answers_nobody_but_the_soc() -> None:
    target = str(province().devices["hh-ce1"].service_address)
    assert _snmp("hh-pc1", target, SYS_NAME) == ""
    assert _snmp(SOC, target, SYS_NAME) == "hh-ce1"


def test_a_lost_link_is_a_trap_within_five_seconds() -> None:
    """tx-ce1 loses its LAN; the trap is encrypted, so what is looked for is a trap from that router."""
    since = spool_end()
    ours = {str(a) for a in province().devices["tx-ce1"].addresses}

    def trapped(word: str) -> bool:
        return any(peer in ours and word in text for peer, text in spooled(b"1.3.6.1.6.3.1.1.5.", since))

    try:
        machine("tx-ce1").run("ip link set eth2 down")
        assert eventually(lambda: trapped("1.3.6.1.6.3.1.1.5.3"), within_s=5), "no linkDown"
    finally:
        machine("tx-ce1").run("ip link set eth2 up")
    assert eventually(lambda: trapped("1.3.6.1.6.3.1.1.5.4"), within_s=5), "no linkUp"


@EVERYONE
def test_a_line_logged_here_is_at_the_soc_within_seconds(name: str) -> None:
    since, token = spool_end(), uuid.uuid4().hex
    lines(name, "logger -t canh-test %s", token)
    found = eventually(lambda: spooled(f" - - {token}".encode(), since), within_s=15)
    assert found, "the line did not arrive"
    peer, text = found[0]
    assert peer in {str(a) for a in province().devices[name].addresses}
    assert re.fullmatch(rf"<13>1 \S+ {name} canh-test \S+ - - {token}", text)
    assert len(found) == 1, "it arrived more than once"


def test_what_is_logged_while_the_soc_is_away_arrives_afterwards() -> None:
    """The queue outlives the collector and a restart of rsyslog itself."""
    since, token = spool_end(), uuid.uuid4().hex
    lines("hh-pc1", "nft insert rule inet canh input tcp sport 6514 drop")
    try:
        lines("hh-pc1", "logger -t canh-test before-%s", token)
        lines("hh-pc1", "systemctl restart rsyslog")
        lines("hh-pc1", "logger -t canh-test during-%s", token)
        assert spooled(f" - - during-{token}".encode(), since) == []
    finally:
        lines("hh-pc1", "systemctl reload nftables")
    arrived = eventually(lambda: spooled(f" - - during-{token}".encode(), since), within_s=30)
    assert arrived, "the line logged during the outage is lost"


def test_a_router_that_loses_an_uplink_loses_no_line() -> None:
    """It reports from its loopback, so the connection moves to the other uplink with everything on it."""
    router = province().devices["stc-ce1"]
    first = next(i for i in router.interfaces if i.link and not province().links[i.link].backup)
    since, tokens = spool_end(), [uuid.uuid4().hex for _ in range(10)]
    try:
        lines(router.name, "ip link set %s down", first.name)
        for token in tokens:
            lines(router.name, "logger -t canh-test %s", token)
            time.sleep(0.5)
        peers = [eventually(lambda t=token: spooled(f" - - {t}".encode(), since)) for token in tokens]
    finally:
        lines(router.name, "ip link set %s up", first.name)
    assert [p[0][0] for p in peers if p] == [str(router.loopback)] * len(tokens)
    assert eventually(lambda: spooled(f"{first.name}: Lost carrier".encode(), since)), "not told that the link went"


@ROUTERS
def test_netops_lands_in_vtysh_and_sees_a_router(name: str) -> None:
    account = machine(name).user("netops")
    assert account.shell == "/usr/bin/vtysh"
    assert {"frrvty", "frr"} <= set(account.groups)
    assert "sudo" not in account.groups
    running = "\n".join(lines(name, "su -s /bin/sh netops -c 'vtysh -c \"show running-config\"'"))
    assert "log commands" in running and f"hostname {name}" in running


@ROUTERS
def test_frr_has_no_telnet_ports(name: str) -> None:
    assert not [line for line in lines(name, "ss -H -lnt") if re.search(r":26\d\d ", line)]


@pytest.mark.parametrize("name", names(Role.CE))
def test_what_netops_types_reaches_the_soc(name: str) -> None:
    since, token = spool_end(), uuid.uuid4().hex
    script = f'vtysh -c "configure terminal" -c "interface lo" -c "description {token}" -c "no description"'
    lines(name, "su -s /bin/sh netops -c %s", script)
    typed = f"@(config-if)# description {token}"  # sudo's own line has the token too
    assert eventually(lambda: spooled(typed.encode(), since))


def test_the_application_speaks_modern_tls_to_those_who_may() -> None:
    address = str(province().devices["dc-app1"].service_address)
    url = f"https://{address}/"
    for office in names(Role.WORKSTATION):
        done = machine(office).run("curl -sk --max-time 5 -o /dev/null -w %%{http_code} %s", url)
        assert done.stdout == "200", office
    assert machine("hh-pc1").run("curl -sk --max-time 5 --tls-max 1.1 %s", url).rc != 0
    assert machine("hh-pc1").run("curl -s --max-time 2 %s", f"http://{address}/").rc != 0


def test_the_application_s_key_is_its_own_and_private() -> None:
    key = machine("dc-app1").file("/etc/canh/tls/key.pem")
    assert (key.mode, key.user) == (0o600, "root")
    subject = lines("dc-app1", "openssl x509 -in /etc/canh/tls/cert.pem -noout -ext subjectAltName -subject")
    assert "DNS:dc-app1" in " ".join(subject)


def test_the_platform_runs_as_nobody_in_particular() -> None:
    account = machine(SOC).user("canh")
    assert (account.uid, account.shell) == (777, "/usr/sbin/nologin")
    shown = dict(line.partition("=")[::2] for line in lines(SOC, "systemctl show canh"))
    assert shown["User"] == "canh" and shown["NoNewPrivileges"] == "yes" and shown["ProtectSystem"] == "strict"
    assert shown["CapabilityBoundingSet"] == "cap_net_bind_service"


def test_no_secret_is_readable_on_a_machine_but_by_root() -> None:
    require_lab()
    words = [secrets()["snmp"]["auth_password"], secrets()["snmp"]["priv_password"]]
    for name in names():
        done = machine(name).run("grep -rlE -e %s -e %s /etc", *words)
        for path in done.stdout.split():
            file = machine(name).file(path)
            assert (file.mode, file.user) == (0o600, "root"), f"{name}:{path}"
    assert (DATA / "secrets.json").stat().st_mode & 0o077 == 0
