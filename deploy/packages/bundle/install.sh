#!/bin/sh
# Installs envision-worker from this folder, without a network. See README.
set -eu
cd "$(dirname "$0")"
. ./target # VERSION, PYTHON, MACHINE

PREFIX=/opt/envision-worker
python=python$PYTHON

usage() {
    echo "usage: install.sh [--python PATH]" >&2
    exit 64
}

stop() {
    echo "install.sh: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --python) [ $# -ge 2 ] || usage; python=$2; shift 2 ;;
        *) usage ;;
    esac
done

[ "$(id -u)" = 0 ] || stop "run it as root"
[ "$(uname -m)" = "$MACHINE" ] || stop "this bundle is for $MACHINE, this machine is $(uname -m)"
command -v "$python" >/dev/null || stop "this bundle needs Python $PYTHON; where is it? --python PATH"
found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$found" = "$PYTHON" ] || stop "this bundle needs Python $PYTHON, $python is $found"
"$python" -c 'import ensurepip, venv' 2>/dev/null \
    || stop "$python can't make virtual environments; on Debian and Ubuntu: apt install python$PYTHON-venv"
command -v systemd-sysusers >/dev/null || stop "there is no systemd here"
if [ -e /usr/lib/envision-worker ]; then
    stop "the Debian package is installed; remove it first: apt remove envision-worker"
fi
sha256sum --check --strict --quiet SHA256SUMS || stop "this folder is not what was packed"

umask 022
old=$(readlink "$PREFIX/current" || true)
new=$VERSION
again=1
while [ -e "$PREFIX/$new" ]; do # what runs is left alone until its successor is whole
    new=$VERSION-$again
    again=$((again + 1))
done
venv=$PREFIX/$new
echo "installing envision-worker $VERSION into $venv"
mkdir -p "$PREFIX"
trap 'rm -rf "$venv"' EXIT
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-index --find-links wheelhouse \
    --require-hashes -r requirements.txt
"$venv/bin/python" -m pip check --disable-pip-version-check >/dev/null
"$venv/bin/python" -m pip uninstall --quiet --yes pip setuptools
cp -R doc "$venv/doc"
"$venv/bin/envision-worker" --version
trap - EXIT

ln -sfn "$new" "$PREFIX/current"
for each in "$PREFIX"/*/; do # the one before stays, to go back to
    each=$(basename "$each")
    case $each in "$new" | "$old" | current) ;; *) rm -rf "${PREFIX:?}/$each" ;; esac
done
ln -sfn "$PREFIX/current/bin/envision-worker" /usr/local/bin/envision-worker

install -D -m 644 systemd/envision-worker.sysusers.conf /etc/sysusers.d/envision-worker.conf
install -D -m 644 systemd/envision-worker.tmpfiles.conf /etc/tmpfiles.d/envision-worker.conf
systemd-sysusers envision-worker.conf
systemd-tmpfiles --create envision-worker.conf
install -m 644 etc/*.example /etc/envision-worker/
for unit in systemd/*.service systemd/*.timer; do
    sed -e "s|/usr/bin/envision-worker|/usr/local/bin/envision-worker|g" \
        -e "s|/usr/share/doc/envision-worker|$PREFIX/current/doc|g" "$unit" >"/etc/systemd/system/$(basename "$unit")"
    chmod 644 "/etc/systemd/system/$(basename "$unit")"
done

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart 'envision-worker@*.service'
fi
echo "installed; what comes next stands in $PREFIX/current/doc/install.md"
