#!/bin/sh
# Turns a fresh Debian tree ($1) into the base of every lab machine. Run by mmdebstrap as its customize hook.
# Nothing here is about one machine: names, keys and addresses come later, before each boot.
set -eu
root=$1

# A role switches on what its kind of host uses; the rest never starts.
for unit in chrony frr nginx snmpd snmptrapd ulogd2 nftables e2scrub_reap; do
    if [ -e "$root/lib/systemd/system/$unit.service" ]; then systemctl --root="$root" --quiet disable "$unit.service"; fi
done
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim; do
    if [ -e "$root/lib/systemd/system/$timer.timer" ]; then systemctl --root="$root" --quiet disable "$timer.timer"; fi
done
# No console to log in at, and a machine is ready when its services are, cables or not.
systemctl --root="$root" --quiet mask console-getty.service getty@tty1.service systemd-networkd-wait-online.service
systemctl --root="$root" --quiet enable systemd-networkd.service ssh.service

# Each machine brings its own host key and machine id; none is shared through the image.
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
rm -f "$root/etc/resolv.conf"
: > "$root/etc/resolv.conf"
# Machines of a lab have no way out, so they need no archive either.
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*

# The automation account: a key, no password, sudo.
chroot "$root" useradd --uid 770 --user-group --create-home --shell /bin/bash --password '*' ansible
printf 'ansible ALL=(ALL) NOPASSWD: ALL\n' > "$root/etc/sudoers.d/ansible"
chmod 440 "$root/etc/sudoers.d/ansible"

# A lab goes down in seconds, not in the 90 a real host grants a service.
mkdir -p "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultTimeoutStopSec=8s\n' > "$root/etc/systemd/system.conf.d/canh.conf"
