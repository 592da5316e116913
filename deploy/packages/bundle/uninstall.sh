#!/bin/sh
# Takes away what install.sh installed. Configuration, secrets and state stay, unless --purge is given.
set -eu

case ${1:-} in
    "" | --purge) ;;
    *) echo "usage: uninstall.sh [--purge]" >&2; exit 64 ;;
esac
[ "$(id -u)" = 0 ] || { echo "uninstall.sh: run it as root" >&2; exit 1; }

if [ -d /run/systemd/system ]; then
    systemctl stop 'envision-worker@*.service' 'envision-worker-backup@*.timer' 'envision-worker-backup@*.service'
fi
rm -f /etc/systemd/system/envision-worker@.service /etc/systemd/system/envision-worker-backup@.service \
    /etc/systemd/system/envision-worker-backup@.timer /etc/sysusers.d/envision-worker.conf \
    /etc/tmpfiles.d/envision-worker.conf /usr/local/bin/envision-worker
rm -rf /opt/envision-worker
if [ "${1:-}" = --purge ]; then
    rm -rf /etc/envision-worker /var/lib/envision-worker
    rm -f /etc/systemd/system/*.wants/envision-worker@*.service /etc/systemd/system/*.wants/envision-worker-backup@*.timer
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload
