#!/bin/sh
# Boots systemd in namespaces of its own: boot-machine.sh ROOT SHOWN SCRATCH
#   ROOT     a Debian root; nothing is written to it
#   SHOWN    a folder that the machine sees, read-only, as /mnt
#   SCRATCH  an empty folder, for mounting
# The machine has no network but its own loopback, and ends with this process.
set -eu
export root="$1" shown="$2" scratch="$3"

# A control group of its own: systemd wants to be at the top of one. It is left empty when the machine has ended.
for hierarchy in /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ "$(stat -f -c %T "$hierarchy" 2>/dev/null)" = cgroup2fs ] && break
done
group=$hierarchy/envision-worker-test-$$
mkdir "$group"
echo $$ >"$group/cgroup.procs"

exec unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child sh -euc '
    mount --make-rprivate /
    mount -t tmpfs tmpfs "$scratch"
    mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
    cd "$scratch/root"
    mount --rbind "$shown" mnt
    mount -o remount,bind,ro mnt
    mount -t proc proc proc
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys # the sysctls of the host are none of its business
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs tmpfs run
    mount -t tmpfs tmpfs tmp
    mount -t tmpfs -o mode=755 tmpfs dev
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
    mount -t tmpfs tmpfs dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    mknod -m 666 dev/null c 1 3
    mknod -m 666 dev/zero c 1 5
    mknod -m 666 dev/full c 1 7
    mknod -m 666 dev/random c 1 8
    mknod -m 666 dev/urandom c 1 9
    mknod -m 666 dev/tty c 5 0
    hostname machine
    mkdir -p tmp/host
    pivot_root . tmp/host
    umount -l /tmp/host
    mount --make-rshared / # else credentials stay empty: systemd leaves this to whoever starts a container
    exec env -i container=namespaces PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --log-target=journal
'
