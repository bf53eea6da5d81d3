#!/bin/sh
# What a container may do by default: docker's list, or less
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

in_default() {
	pouch run --rm --net none -v "$attack:/bin/attack:ro" "$@"
}

# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP
docker_caps=a80425fb

capabilities_are_dockers() {
	got=$(in_default busybox attack caps | sed -n 's/^Cap...:.*\(........\)$/\1/p' | sort -u)
	for set in $got; do
		[ $((0x$set & ~0x$docker_caps)) = 0 ] || { echo "$set has more than $docker_caps"; return 1; }
	done
	has 'CapEff' "$(in_default --privileged busybox attack caps)"
	all=$(in_default --privileged busybox attack caps | sed -n 's/^CapEff:.*\(........\)$/\1/p')
	[ $((0x$all & ~0x$docker_caps)) != 0 ]
}

paths_are_hidden() {
	for path in /proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats /proc/sched_debug \
		/proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
		[ -e $path ] || continue
		is 0 "$(in_default busybox sh -c "if [ -d $path ]; then ls -A $path; else cat $path; fi | wc -c")"
	done
	for path in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do
		[ -e $path ] || continue
		has ro, "$(in_default busybox grep " $path proc " /proc/mounts | cut -d ' ' -f 4),"
	done
	has ro, "$(in_default busybox grep ' /sys sysfs ' /proc/mounts),"
}

open_paths_are_seen() {
	[ -e /proc/keys ] || skip 'this kernel has no /proc/keys'
	is '' "$(in_default busybox grep ' /proc/keys ' /proc/mounts || :)" && return 1
	is '' "$(in_default --privileged busybox grep ' /proc/keys ' /proc/mounts || :)"
}

calls_are_filtered() {
	grep -q ^Seccomp: /proc/self/status || skip 'this kernel has no filter, or does not show it'
	[ -z "${AS_KERNEL-}" ] || skip 'the played kernel has its own filter'
	has 2 "$(in_default busybox grep ^Seccomp: /proc/self/status)"
	has 0 "$(in_default --security-opt seccomp=unconfined busybox grep ^Seccomp: /proc/self/status)"
	fails 'not permitted' in_default busybox unshare -U true
	fails '' in_default busybox unshare -m true
	fails '' in_default busybox mount -t tmpfs x /tmp
	# The way by a namespace of users works where there is no filter: it is the filter that stops it.
	in_default --security-opt seccomp=unconfined busybox unshare -U true || skip 'this host has no user namespaces for anybody'
}

pouchd_start
image_load >/dev/null

it "gives docker's capabilities or fewer" capabilities_are_dockers
it "hides and protects docker's paths" paths_are_hidden
it 'shows them when privileged' open_paths_are_seen
it 'filters system calls' calls_are_filtered
