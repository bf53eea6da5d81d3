#!/bin/sh
# vm-limits - memory, CPU, processes, devices and block IO are really limited; runs in a guest of tests/legacy/vm, with version 1 and with 2
. "$(dirname "$0")/../lib.sh"

pouchd_start || exit 1
image_load >/dev/null || exit 1

run() {
	pouch run --net none "$@"
}

# controller NAME: the kernel has it, in either version
controller() {
	[ -n "$(cgroup_mount "$1")" ] || grep -qw "$1" /sys/fs/cgroup/cgroup.controllers 2>/dev/null
}

version_2() {
	grep -q '^[^ ]* /sys/fs/cgroup cgroup2 ' /proc/mounts
}

groups_are_right() {
	if version_2; then
		says 'Cgroup Version: 2' pouch info
		grep -q cpu /sys/fs/cgroup/cgroup.controllers
	else
		[ -n "$(cgroup_mount memory)" ]
	fi
}
it 'runs on the control groups it was meant for' groups_are_right

# One buffer of that many MiB, written once.
eats() {
	echo "dd if=/dev/zero of=/dev/null bs=${1}M count=1 2>/dev/null && echo ate"
}

memory() {
	controller memory || skip 'this kernel has no memory controller'
	is ate "$(run --rm -m 64m busybox sh -c "$(eats 16)")"
	run --name glutton -m 64m busybox sh -c "$(eats 200)" && return 1
	hasnt ate "$(pouch logs glutton)"
	pouch rm glutton
	run --name glutton -m 64m busybox dd if=/dev/zero of=/dev/null bs=200M count=1 && return 1
	is 137 "$(pouch inspect -f '{{.State.ExitCode}}' glutton)"
	is true "$(pouch inspect -f '{{.State.OOMKilled}}' glutton)"
	pouch rm glutton
}
it 'kills what exceeds its memory, and says why it ended' memory

# used OPTION...: CPU time, in hundredths of a second in 5 s, of a loop that lasts about so long: who ends it may stand still with it
used() {
	run --rm "$@" busybox sh -c "cat /proc/uptime; timeout 5 sh -c 'while :; do :; done'; times; cat /proc/uptime" | awk '
		NR == 1 { from = $1 }
		NR == 3 { for (i = 1; i <= 2; i++) { split($i, part, /[ms]/); sum += part[1] * 6000 + part[2] * 100 } }
		NR == 4 { printf "%d", sum * 5 / ($1 - from) }'
}

# between LOW HIGH NUMBER
between() {
	if [ "$3" -lt "$1" ] || [ "$3" -gt "$2" ]; then
		echo "expected $1 to $2, got $3"
		return 1
	fi
}

# share LOW HIGH OPTION...: the CPU time of 5 s. A busy host takes time from a guest that the guest does not know of: three tries.
share() {
	low=$1
	high=$2
	shift 2
	for _ in 1 2; do
		! between "$low" "$high" "$(used "$@")" || return 0
	done
	between "$low" "$high" "$(used "$@")"
}

cpu() {
	controller cpu || controller freezer || skip 'this kernel has neither the cpu nor the freezer controller'
	share 225 275 --cpus 0.5
	share 90 110 --cpu-period 100000 --cpu-quota 20000
}
it 'gives the share of a CPU that was asked for, within a tenth' cpu

# few_live CONTAINER MOST: processes of the container that live, as its control group knows them
few_live() {
	between 1 "$2" "$(wc -l <"$(find "$(cgroup_mount freezer)" -type d -name "$(pouch inspect -f '{{.ID}}' "$1")")/tasks")"
}

processes() {
	# The shell that cannot fork says so and ends; what it has started by then is counted. Where the kernel does not count them, the newest die.
	if controller pids; then
		started=$(run --rm --pids-limit 10 busybox sh -c 'i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i + 1)); echo "started $i"; done' 2>&1) || :
		has "can't fork" "$started"
		between 5 9 "$(echo "$started" | grep -c ^started)"
	else
		run -d --name many --pids-limit 10 busybox sh -c 'i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i + 1)); done; echo all; wait; sleep 1000'
		eventually 20 says all pouch logs many
		eventually 5 few_live many 10
		pouch rm -f many
	fi
	run --rm --pids-limit 50 busybox sh -c 'i=0; while [ $i -lt 30 ]; do i=$((i + 1)); sleep 0.1 & done; wait'
}
it 'lets no more processes live than were allowed' processes

devices() {
	node='mknod /tmp/line c 4 64 && : <>/tmp/line && echo opened'
	fails 'not permitted' run --rm busybox sh -c "$node"
	is opened "$(run --rm --device-cgroup-rule 'c 4:64 rwm' busybox sh -c "$node")"
	is opened "$(run --rm --privileged busybox sh -c "$node")"
	says '' run --rm busybox sh -c ': </dev/zero; : >/dev/null; : </dev/urandom'
}
it 'opens no device that was not given' devices

# reads OPTION...: seconds that it takes to read 3 MiB of the disk past the page cache
reads() {
	reads_from=$(date +%s)
	run --rm --device /dev/vdb "$@" busybox dd if=/dev/vdb of=/dev/null bs=64k count=48 iflag=direct 2>/dev/null || return 1
	echo $(($(date +%s) - reads_from))
}

block_io() {
	[ -b /dev/vdb ] || skip 'there is no disk'
	controller io || [ -n "$(cgroup_mount blkio)" ] || skip 'this kernel has neither the io nor the blkio controller'
	unlimited=$(reads)
	limited=$(reads --device-read-bps /dev/vdb:512kb)
	[ "$limited" -ge $((unlimited + 4)) ] || { echo "$unlimited s without a limit, $limited s with one"; return 1; }
}
it 'slows reading from a disk down' block_io

updates() {
	controller memory || skip 'this kernel has no memory controller'
	run -d --name grows -m 32m --cpu-shares 512 busybox sleep 1000
	pouch update -m 64m grows
	version_2 || is 67108864 "$(cat "$(find "$(cgroup_mount memory)" -type d -name "$(pouch inspect -f '{{.ID}}' grows)")/memory.limit_in_bytes")"
	! version_2 || is 67108864 "$(cat "$(find /sys/fs/cgroup -type d -name "$(pouch inspect -f '{{.ID}}' grows)")/memory.max")"
	pouch rm -f grows
}
if pouch help update >/dev/null 2>&1; then
	it 'changes the limits of a running container' updates
fi

frozen() {
	run -d --name counts busybox sh -c 'while :; do echo x >>/tmp/n; usleep 20000; done'
	sleep 1
	pouch pause counts
	before=$(pouch inspect -f '{{.State.Status}}' counts)
	is paused "$before"
	pid=$(pouch inspect -f '{{.State.Pid}}' counts)
	size=$(wc -c <"/proc/$pid/root/tmp/n")
	sleep 1
	is "$size" "$(wc -c <"/proc/$pid/root/tmp/n")"
	pouch unpause counts
	grown() {
		[ "$(wc -c <"/proc/$pid/root/tmp/n")" -gt "$size" ]
	}
	eventually 5 grown
	pouch pause counts
	pouch rm -f counts
	is '' "$(pouch ps -aq)"
}
it 'stops every process of a paused container, and can end it' frozen
