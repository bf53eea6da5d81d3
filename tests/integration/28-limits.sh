#!/bin/sh
# 28-limits.sh - limits of containers hold: memory, CPU, processes; on cgroup v1, v2 and both, and by substitutes
#
# alone: it measures what containers get of the processors
. "$(dirname "$0")/../lib.sh"

pouchd_start
image_load >/dev/null || exit 1

# mount_of CONTROLLER: the v1 hierarchy that carries it, else nothing
mount_of() {
	awk -v c="$1" '$3 == "cgroup" && ("," $4 ",") ~ ("," c ",") { print $2; exit }' /proc/mounts
}

v2_tree() {
	awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts
}

# group_of CONTROLLER CONTAINER: its directory
group_of() {
	group_id=$(pouch inspect -f '{{.ID}}' "$2")
	group_mount=$(mount_of "$1")
	[ -n "$group_mount" ] || group_mount=$(v2_tree)
	echo "$group_mount/$cgroup_parent/$group_id"
}

# cpu_ms DIRECTORY: CPU time that the group used
cpu_ms() {
	if [ -e "$1/cpuacct.usage" ]; then
		echo $(($(cat "$1/cpuacct.usage") / 1000000))
	else
		echo $(($(sed -n 's/^usage_usec //p' "$1/cpu.stat") / 1000))
	fi
}

now_ms() {
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# backend CAPABILITY: the chosen one
backend() {
	pouch compat | awk -v c="$1" '$1 == c && $2 == "*" { print $3; found = 1; exit }
		$1 == c { in_it = 1; next } in_it && $1 == "*" { print $2; exit } in_it && /^[a-z]/ { exit }'
}

# Other work on this machine shall not take what the containers may have.
prefer_containers() {
	for prefer_mount in $(mount_of cpu) $(v2_tree); do
		echo 262144 >"$prefer_mount/$cgroup_parent/cpu.shares" || echo 10000 >"$prefer_mount/$cgroup_parent/cpu.weight" || :
	done 2>/dev/null
}

# Hundredths of a second that all processors had nothing to do, or did it for others (a virtual machine's host).
idle() {
	awk '$1 == "cpu" { print $5 + $6, $9 + 0 }' /proc/stat
}

# share_once PERCENT CONTAINER: over five seconds within 10 % of it; 2 for too little
share_once() {
	share_dir=$(group_of cpuacct "$2")
	share_t=$(now_ms)
	share_c=$(cpu_ms "$share_dir")
	sleep 5
	share_t=$(($(now_ms) - share_t)) # in the same order as before: reading takes time, too
	share_c=$(($(cpu_ms "$share_dir") - share_c))
	share_got=$((share_c * 1000 / share_t))
	echo "wanted $1 %, got $((share_got / 10)).$((share_got % 10)) % of a CPU: $share_c ms of $share_t"
	[ "$share_got" -le $(($1 * 11)) ] || return 1
	[ "$share_got" -ge $(($1 * 9)) ] || return 2
}

# A machine without idle time for all of five seconds gives nobody his share: measured again, and at last not at all.
share_is() {
	prefer_containers
	for share_try in 1 2 3; do
		share_before=$(idle)
		share_rc=0
		share_once "$@" || share_rc=$?
		share_after=$(idle)
		[ $share_rc = 2 ] || return $share_rc
		share_idle=$((${share_after% *} - ${share_before% *}))
		echo "try $share_try: idle $share_idle hundredths, stolen $((${share_after#* } - ${share_before#* }))"
		[ $share_idle -lt 25 ] || [ $((${share_after#* } - ${share_before#* })) -gt 25 ] || return 1
	done
	skip 'the machine is too busy to measure'
}

# tasks_of CONTAINER: how many tasks it has now
tasks_of() {
	tasks_dir=$(group_of freezer "$1")
	if [ -e "$tasks_dir/tasks" ]; then wc -l <"$tasks_dir/tasks"; else wc -l <"$tasks_dir/cgroup.threads"; fi
}

busy='while :; do :; done'

# ---- memory --------------------------------------------------------------------------------------------------------------------

eat='x=x; while :; do x=$x$x; done'

memory_holds() {
	[ "$(backend memory-limit)" != address-space ] || skip 'memory is limited by address space here'
	exits 137 pouch run --name mem -m 24m --memory-swap 24m busybox sh -c "$eat" || return 1
	is true "$(pouch inspect -f '{{.State.OOMKilled}}' mem)" || return 1
	is 137 "$(pouch inspect -f '{{.State.ExitCode}}' mem)" || return 1
	pouch rm mem
}
it 'kills a process that wants more memory than its limit, and says so' memory_holds

not_out_of_memory() {
	pouch run -d --name nomem -m 24m busybox sleep 1000
	pouch kill nomem
	eventually 10 is false "$(pouch inspect -f '{{.State.Running}}' nomem)"
	is false "$(pouch inspect -f '{{.State.OOMKilled}}' nomem)"
	pouch rm nomem
}
it 'does not take a kill for want of memory' not_out_of_memory

# ---- CPU -----------------------------------------------------------------------------------------------------------------------

cpu_holds() {
	pouch run -d --name cpu --cpu-quota 30000 busybox sh -c "$busy"
	share_is 30 cpu
}
it 'gives a container its share of CPU time' cpu_holds

# update CONTAINER JSON: by the API
update() {
	needs curl
	curl -sSf --unix-socket "$socket" -H 'Content-Type: application/json' -d "$2" "http://d/containers/$1/update"
}

cpu_changes() {
	update cpu '{"CpuPeriod": 100000, "CpuQuota": 60000}'
	share_is 60 cpu
}
it 'follows a change of the share' cpu_changes

cpu_period_alone() {
	update cpu '{"CpuPeriod": 200000}'
	share_is 30 cpu
}
it 'keeps the quota when only the period changes' cpu_period_alone

cpu_many() {
	[ "$(grep -c ^processor /proc/cpuinfo)" -ge 2 ] || skip 'there is only one processor'
	pouch run -d --name many --cpus 1.2 busybox sh -c "($busy) & ($busy) & ($busy) & wait"
	share_is 120 many
	pouch rm -f many
}
it 'holds a share of more than one processor' cpu_many

cpu_small() {
	pouch run -d --name small --cpus 0.05 busybox sh -c "$busy"
	sleep 1
	share_is 5 small
	pouch rm -f small
}
it 'holds a small share' cpu_small

exec_meanwhile() {
	for i in 1 2 3 4 5 6 7 8; do
		is "$i" "$(pouch exec cpu echo "$i")" || return 1
	done
	is running "$(pouch inspect -f '{{.State.Status}}' cpu)"
}
it 'executes in a container whose CPU is limited' exec_meanwhile

pause_meanwhile() {
	pouch pause cpu
	is paused "$(pouch inspect -f '{{.State.Status}}' cpu)"
	pause_dir=$(group_of cpuacct cpu)
	pause_from=$(cpu_ms "$pause_dir")
	sleep 2
	pause_used=$(($(cpu_ms "$pause_dir") - pause_from))
	echo "used $pause_used ms while paused"
	[ $pause_used -le 20 ]
	fails paused pouch exec cpu true
	pouch unpause cpu
	share_is 30 cpu
}
it 'pauses it, and goes on with the same share' pause_meanwhile

stop_meanwhile() {
	stop_from=$(now_ms)
	pouch stop -t 1 cpu
	[ $(($(now_ms) - stop_from)) -le 8000 ]
	is false "$(pouch inspect -f '{{.State.Running}}' cpu)"
	pouch rm cpu
}
it 'stops it in time' stop_meanwhile

# ---- the keeper of a substitute --------------------------------------------------------------------------------------------------

shim_of() {
	cut -d' ' -f1 "$exec_root/$(pouch inspect -f '{{.ID}}' "$1")/shim.pid"
}

warden_of() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v p="$(shim_of "$1")" '$4 == p && $2 == "(pouch-warden)" { print $1 }'
}

warden_is_back() {
	[ -n "$(warden_of ward)" ] && [ "$(warden_of ward)" != "$1" ]
}

warden_dies() {
	[ "$(backend cpu-limit)" = duty-cycle ] || skip 'the kernel limits CPU time'
	pouch run -d --name ward --cpus 0.2 busybox sh -c "$busy"
	warden=$(warden_of ward)
	[ -n "$warden" ]
	kill -9 "$warden"
	eventually 5 warden_is_back "$warden"
	share_is 20 ward
	pouch rm -f ward
}
it 'replaces a keeper of limits that was killed' warden_dies

nobody_is_frozen() {
	! grep -qv THAWED "$1/freezer.state" 2>/dev/null && ! grep -q 'frozen 1' "$1/cgroup.events" 2>/dev/null
}

shim_dies() {
	[ "$(backend cpu-limit)" = duty-cycle ] || skip 'the kernel limits CPU time'
	pouch run -d --name dead --cpus 0.01 busybox sh -c "$busy"
	frozen_dir=$(group_of freezer dead)
	shim=$(shim_of dead)
	pouchd_kill9
	sleep 1
	kill -9 "$shim"
	eventually 5 nobody_is_frozen "$frozen_dir"
	pouchd_start
	pouch rm -f dead
}
it 'leaves no container frozen when its shim is killed' shim_dies

# ---- processes -----------------------------------------------------------------------------------------------------------------

# Doubles as fast as it can, and yet the machine outlives a limit that does not hold: 2047 in all.
bomb='b() { [ $1 = 0 ] || { b $(($1 - 1)) & b $(($1 - 1)) & }; sleep 20; }; (b 10); exec sleep 20'

tasks_hold() {
	pouch run -d --name bomb --pids-limit 40 busybox sh -c "$bomb"
	most=0
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		n=$(tasks_of bomb)
		[ "$n" -le $most ] || most=$n
		sleep 0.1
	done
	echo "at most $most tasks"
	if [ "$(backend process-limit)" = accounting ]; then [ "$most" -le 400 ]; else [ "$most" -le 40 ]; fi
	pouch rm -f bomb
}
it 'contains a fork bomb' tasks_hold

tasks_below() {
	says 'done' pouch run --rm --pids-limit 40 busybox sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait; echo done'
}
it 'leaves alone what stays below the limit' tasks_below



# ---- what stands in for the memory controller ------------------------------------------------------------------------------------

by_address_space() {
	[ "$(backend memory-limit)" = address-space ] || skip 'the kernel limits memory'
	is 65536 "$(pouch run --rm -m 64m busybox sh -c 'ulimit -v')"
	pouch run -d --name space -m 64m busybox sleep 1000
	is 65536 "$(pouch exec space sh -c 'ulimit -v')"
	fails 'out of memory' pouch run --rm -m 24m busybox sh -c "$eat"
	fails 'swap limit' pouch run --rm -m 64m --memory-swap 64m busybox true
	fails 'memory reservation' pouch run --rm --memory-reservation 64m busybox true
	pouch rm -f space
}
it 'limits the address space of each process instead' by_address_space
