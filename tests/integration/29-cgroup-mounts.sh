#!/bin/sh
# 29-cgroup-mounts.sh - pouchd mounts the control groups that a host lacks, and takes them away when nobody uses them
. "$(dirname "$0")/../lib.sh"

needs_own_mounts
[ -e /proc/cgroups ] || skip 'this kernel has no control groups'

groups() {
	awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts
}

# As on a host without systemd or cgconfig. Busybox's unshare leaves the mounts shared.
mount --make-rprivate / 2>/dev/null || mount -o rprivate / / 2>/dev/null || :
for mount in $(groups | sort -r); do
	umount "$mount" || skip "cannot unmount $mount"
done
! grep -q ' /sys/fs/cgroup tmpfs ' /proc/mounts || umount /sys/fs/cgroup || skip 'cannot unmount /sys/fs/cgroup'

mounts_them() {
	pouchd_start
	[ -n "$(groups)" ]
	has 'pouchd mounted' "$(pouch compat)"
	[ -s "$exec_root/cgroup.mounts" ]
	hasnt ',ns' "$(grep ' cgroup ' /proc/mounts)"
}
it 'mounts what is missing, and says so' mounts_them

container_has_its_group() {
	image_load
	pouch run -d --name cc -m 64m busybox sleep 1000
	[ -n "$(our_cgroups)" ]
	has "$cgroup_parent" "$(cat "/proc/$(pouch inspect -f '{{.State.Pid}}' cc)/cgroup")"
}
it 'puts containers there' container_has_its_group

# Old kernels refuse a group's swappiness where the group above counts what is below it.
swappiness_can_be_had() {
	[ -n "$(cgroup_mount memory)" ] || skip 'no controller of memory of version 1 here'
	is 41 "$(pouch run --rm --memory-swappiness 41 busybox cat /sys/fs/cgroup/memory/memory.swappiness)"
}
it 'leaves the first group as the kernel made it' swappiness_can_be_had

stay_while_used() {
	stay_before=$(groups)
	pouchd_stop
	is "$stay_before" "$(groups)"
	pouchd_start
	is "$stay_before" "$(groups)"
	is true "$(pouch inspect -f '{{.State.Running}}' cc)"
	pouch exec cc true
}
it 'leaves them to a container when pouchd stops, and finds them again' stay_while_used

gone_when_unused() {
	pouch rm -f cc
	pouchd_stop
	is '' "$(groups)"
	! grep -q ' /sys/fs/cgroup tmpfs ' /proc/mounts
	[ ! -e "$exec_root/cgroup.mounts" ]
}
it 'takes them away when nobody uses them' gone_when_unused

fails_clean() {
	if timeout 20 "$POUCH_BUILD/pouchd" --home-dir "$home" --exec-root-dir "$exec_root" --listen unix:///proc/no/such \
		--config-file "$T/config.json" --bridge-name "$bridge" --bip "$bip" >"$T/failed.log" 2>&1; then return 1; fi
	is '' "$(groups)"
}
it 'takes them away when the start fails' fails_clean
