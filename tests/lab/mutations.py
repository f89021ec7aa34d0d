"""One thing to break for each control: on which machine, how, which asset must be named, and how to undo it.

Shell texts run as root on the machine. `says` is a part of the reason the control must give; it tells the
mutation from whatever else the control finds on the lab. `prepare` makes a control that the lab does not
satisfy satisfied on that machine, so that breaking it can be seen; `tidy` takes that back.
"""

from __future__ import annotations

from dataclasses import dataclass

SILENT = {"tx-ce1": "its management link is down", "tx-pc1": "its sshd is frozen"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    control: str
    device: str
    says: str
    do: str
    undo: str
    asset: str = ""  # when it is not the device
    prepare: str = ""
    tidy: str = ""

    @property
    def named(self) -> str:
        return self.asset or self.device


_RSYSLOG = "/etc/rsyslog.d/50-canh.conf"
_DATA = "/var/lib/canh"
_NEWEST_BACKUP = f"f=$(ls {_DATA}/backups/hh-ce1/*.conf | tail -n 1)"
_STATIC_ROUTE = "ip route 192.0.2.0/24 blackhole"
_SPOOL = f"{_DATA}/spool/collector"
_PROVINCE = "/opt/canh/app/inventory/provinces/lab/province.yaml"
_WORKER = "pgrep -u canh -of 'monitoring[.]storing'"
_DETECT = "pgrep -u canh -of 'canh.* detect$'"

# Seen by one audit of everything.
AT_ONCE = (
    Mutation(
        control="accounts-declared",
        device="stc-pc1",
        says="accounts in no list: mallory",
        do="useradd --no-create-home --shell /bin/bash mallory",
        undo="userdel mallory",
    ),
    Mutation(
        control="baseline-services",
        device="hh-pc1",
        says="does not start with the machine: nftables",
        do="systemctl disable --quiet nftables",
        undo="systemctl enable --quiet nftables",
    ),
    Mutation(
        control="configuration-as-intended",
        device="hh-ce1",
        says="192.0.2.0/24",
        do=f"vtysh -c 'configure terminal' -c '{_STATIC_ROUTE}'",
        undo=f"vtysh -c 'configure terminal' -c 'no {_STATIC_ROUTE}'",
    ),
    Mutation(
        control="firewall-default-drop",
        device="dc-app1",
        says="accept everything",
        do="nft insert rule inet canh input counter accept",
        undo="nft -f /etc/nftables.conf",
    ),
    Mutation(
        control="kernel-protected",
        device="dc-r2",
        says="source-routed packets are taken",
        do="echo 1 > /proc/sys/net/ipv4/conf/all/accept_source_route",
        undo="echo 0 > /proc/sys/net/ipv4/conf/all/accept_source_route",
    ),
    Mutation(
        control="listeners-declared",
        device="hh-pc1",
        says="tcp/8000",
        do="systemd-run --quiet --unit canh-test-listener python3 -m http.server 8000",
        undo="systemctl stop canh-test-listener",
    ),
    Mutation(
        control="log-forwarding-durable",
        device="core2",
        says="over udp",
        do=f"""sed -i 's/protocol="tcp"/protocol="udp"/' {_RSYSLOG}""",
        undo=f"""sed -i 's/protocol="udp"/protocol="tcp"/' {_RSYSLOG}""",
    ),
    Mutation(
        control="log-transport-encrypted",
        device="dc-r2",
        says="in clear text",
        do=f"""sed -i 's/StreamDriverMode="1"/StreamDriverMode="0"/' {_RSYSLOG}""",
        undo=f"""sed -i 's/StreamDriverMode="0"/StreamDriverMode="1"/' {_RSYSLOG}""",
    ),
    Mutation(
        control="logs-arrive",
        device="dc-r1",
        says="did not reach the store",
        do="systemctl kill --signal STOP rsyslog",
        undo="systemctl kill --signal CONT rsyslog",
    ),
    Mutation(
        control="passwords-hashed",
        device="hh-pc1",
        says="weak hashes: 1",
        do="usermod --password \"$(openssl passwd -1 'mat khau thu')\" nobody",
        undo="usermod --password '*' nobody",
    ),
    Mutation(
        control="root-locked",
        device="stc-pc1",
        says="root has a password",
        do="usermod --password \"$(openssl passwd -6 'mat khau thu')\" root",
        undo="usermod --password '!*' root",
    ),
    Mutation(
        control="router-backups",
        device="dc-soc1",
        asset="hh-ce1",
        says="altered after it was taken",
        do=f"{_NEWEST_BACKUP}; printf '!' >> $f",
        undo=f"{_NEWEST_BACKUP}; truncate -s -1 $f",
    ),
    Mutation(
        control="secrets-private",
        device="dc-soc1",
        asset="platform",
        says="pki/ca.key",
        do=f"chmod 644 {_DATA}/pki/ca.key",
        undo=f"chmod 600 {_DATA}/pki/ca.key",
    ),
    Mutation(
        control="segments-separated",
        device="stc-ce1",
        asset="stc-pc1",
        says=":22",
        do="nft insert rule inet canh input tcp dport 22 accept",
        undo="nft -f /etc/nftables.conf",
    ),
    Mutation(
        control="snmp-v3-only",
        device="core2",
        says="versions 1 and 2c are let in: rocommunity",
        do="echo 'rocommunity public' > /etc/snmp/snmpd.conf.d/zz-test.conf",
        undo="rm /etc/snmp/snmpd.conf.d/zz-test.conf",
    ),
    Mutation(
        control="ssh-idle-timeout",
        device="core1",
        says="without end",
        do="echo 'ClientAliveInterval 0' > /etc/ssh/sshd_config.d/00-test.conf",
        undo="rm /etc/ssh/sshd_config.d/00-test.conf",
    ),
    Mutation(
        control="sshd-hardened",
        device="hh-ce1",
        says="passwords are accepted from anywhere",
        do="echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/00-test.conf",
        undo="rm /etc/ssh/sshd_config.d/00-test.conf",
    ),
    Mutation(
        control="sudo-limited",
        device="core1",
        says="without a password: nobody",
        do="echo 'nobody ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/zz-test",
        undo="rm /etc/sudoers.d/zz-test",
    ),
    Mutation(
        control="time-synchronised",
        device="dc-fw1",
        says="a clock nobody declared: 10.250.0.1",
        do="chronyc add server 10.250.0.1",
        undo="chronyc delete 10.250.0.1",
    ),
    Mutation(
        control="tls-current",
        device="dc-app1",
        says="still speaks tls1_1",
        do="""sed -i.before 's/ssl_protocols/ssl_protocols TLSv1.1/; s/ssl_ciphers .*;/ssl_ciphers ALL:@SECLEVEL=0;/' \
            /etc/nginx/nginx.conf && systemctl reload nginx""",
        undo="mv /etc/nginx/nginx.conf.before /etc/nginx/nginx.conf && systemctl reload nginx",
    ),
    Mutation(
        control="topology-as-designed",
        device="dc-r2",
        says="neighbours that should be there are not: 10.250.0.3",
        do="ip link set $(vtysh -c 'show ip ospf neighbor 10.250.0.3' | grep -o 'eth[0-9]' | head -n 1) down",
        undo="for i in /sys/class/net/eth*; do ip link set ${i##*/} up; done",
    ),
)

# These stop parts of the platform, so each group is looked at by itself, and by its own controls only.
FROZEN = (
    Mutation(
        control="detection-active",
        device="dc-soc1",
        asset="platform",
        says="last heard of",
        do=f"kill -STOP $({_DETECT})",
        undo=f"kill -CONT $({_DETECT})",
    ),
    Mutation(
        control="events-accounted",
        device="dc-soc1",
        asset="platform",
        says="octets of the spool are damaged",
        # With the store's worker stopped what is logged now is in flight; then an octet of its last record is damaged.
        do=f"""kill -STOP $({_WORKER}); logger damaged on purpose; sleep 2
            f=$(ls {_SPOOL}/*.seg | tail -n 1); base=$(basename $f .seg | sed 's/^0*//')
            at=$(($(od -An -t u8 -N 8 {_SPOOL}/committed) - ${{base:-0}} - 9)); echo "$f $at" > /run/damaged
            dd if=$f bs=1 skip=$at count=1 of=/run/octet status=none
            printf '\\377' | dd of=$f bs=1 seek=$at conv=notrunc status=none""",
        undo=f"""read -r f at < /run/damaged
            dd if=/run/octet of=$f bs=1 seek=$at count=1 conv=notrunc status=none
            kill -CONT $({_WORKER})""",
    ),
)
RESTARTED = (
    Mutation(
        control="devices-polled",
        device="core1",
        says="did not answer the newest measurement",
        do="systemctl stop snmpd",
        undo="systemctl start snmpd",
    ),
    Mutation(
        control="log-retention",
        device="dc-soc1",
        says="kept for 30 days",
        do=f"""sed 's/log_retention_days:.*/log_retention_days: 30/' {_PROVINCE} > /run/province.yaml
            mount --bind /run/province.yaml {_PROVINCE}""",
        undo=f"umount {_PROVINCE}",
    ),
)
