#!/bin/sh
# Every option of run and create does what it says, or is refused by the name of what is lacking
. "$(dirname "$0")/../lib.sh"

pouchd_start
image_load || skip 'no image could be loaded'

# run OPTION... -- COMMAND: without a network of its own, which most of these do not need
run() {
	pouch run --rm --net none "$@"
}

# prints TEXT OPTION... -- the output has TEXT
prints() {
	prints_text=$1
	shift
	prints_got=$(run "$@" 2>&1) || { echo "'$*' failed: $prints_got"; return 1; }
	has "$prints_text" "$prints_got"
}

refused() {
	refused_text=$1
	shift
	fails "$refused_text" run "$@" busybox true
	is '' "$(pouch ps -aq)"
}

# v1 or v2, whichever the host has, as the container sees it: limit V1FILE V2FILE
limit_file() {
	if [ -n "$(cgroup_mount "${1%%/*}")" ]; then
		echo "/sys/fs/cgroup/$1"
	else
		echo "/sys/fs/cgroup/$2"
	fi
}

process() {
	prints 'HERE=there' -e HERE=there busybox env
	echo 'FROM=file' >"$T/env"
	prints 'FROM=file' --env-file "$T/env" busybox env
	is /bin "$(run -e PATH=/bin busybox sh -c 'echo $PATH')"
	pouch run -d --name env --net none -e HERE=there busybox sleep 1000
	is elsewhere "$(pouch exec -e HERE=elsewhere env sh -c 'echo $HERE')"
	is 1 "$(pouch exec -e HERE=elsewhere env env | grep -c ^HERE=)"
	pouch rm -f env
	prints '/tmp' -w /tmp busybox pwd
	fails 'absolute path' run -w relative busybox pwd
	prints 'uid=33(www-data) gid=33(www-data)' -u www-data busybox id
	prints 'uid=5 gid=6' -u 5:6 busybox id
	fails 'unable to find user' run -u nobody-knows busybox id
	prints '100(users)' --group-add users --group-add 77 busybox id
	prints 'name-of-it' --hostname name-of-it busybox hostname
	prints 'from the entry point' --entrypoint echo busybox from the entry point
	prints '100:200' --ulimit nofile=100:200 busybox sh -c 'echo $(ulimit -Sn):$(ulimit -Hn)'
	if [ -e /proc/self/oom_score_adj ]; then
		prints 10 --oom-score-adj 10 busybox cat /proc/self/oom_score_adj
	else
		prints 15 --oom-score-adj 1000 busybox cat /proc/self/oom_adj
	fi
}

security() {
	caps=$(run busybox grep CapEff /proc/self/status | awk '{ print $2 }')
	hasnt "$caps" "$(run --cap-drop ALL busybox grep CapEff /proc/self/status)"
	has 0000000000000000 "$(known_caps "$(run --cap-drop ALL busybox grep CapEff /proc/self/status)")"
	has 0000000000000001 "$(known_caps "$(run --cap-drop ALL --cap-add CHOWN busybox grep CapEff /proc/self/status)")"
	fails 'CAP_NONSENSE' run --cap-add CAP_NONSENSE busybox true
	[ ! -e /proc/self/status ] || ! grep -q ^Seccomp: /proc/self/status || prints '2' busybox grep ^Seccomp: /proc/self/status
	! grep -q ^Seccomp: /proc/self/status || prints '0' --security-opt seccomp=unconfined busybox grep ^Seccomp: /proc/self/status
	! grep -q ^NoNewPrivs: /proc/self/status || prints 1 --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
	fails 'invalid security option' run --security-opt nonsense busybox true
	fails 'ead-only file system' run busybox sh -c 'echo 1 >/proc/sys/kernel/panic'
	run --privileged busybox sh -c 'mkdir /m && mount -t tmpfs x /m'
	fails 'denied' run busybox sh -c 'mkdir /m && mount -t tmpfs x /m'
}

namespaces() {
	fails 'invalid' run --pid nonsense busybox true
	prints "$(hostname)" --uts host busybox hostname
	prints pouchd --pid host busybox cat "/proc/$(cat "$T/pouchd.pid")/cmdline"
	says "$bridge:" pouch run --rm --net host busybox cat /proc/net/dev
	[ -h /proc/self/ns/uts ] || return 0
	says "$(readlink /proc/self/ns/uts)" run --uts host busybox readlink /proc/self/ns/uts
	says "$(readlink /proc/self/ns/pid)" run --pid host busybox readlink /proc/self/ns/pid
	says "$(readlink /proc/self/ns/ipc)" run --ipc host busybox readlink /proc/self/ns/ipc
	says "$(readlink /proc/self/ns/net)" pouch run --rm --net host busybox readlink /proc/self/ns/net
}

# The host's own name is not for us to judge.
odd_host_names() {
	needs unshare
	unshare -u true 2>/dev/null || skip 'no private host name'
	mkdir "$T/odd"
	ln -s "$POUCH_BUILD/pouch" "$T/odd/pouch"
	cat >"$T/odd/pouchd" <<-END
		#!/bin/sh
		exec unshare -u sh -c 'echo "(odd)" >/proc/sys/kernel/hostname; exec "\$0" "\$@"' "$POUCH_BUILD/pouchd" "\$@"
	END
	chmod 755 "$T/odd/pouchd"
	pouchd_stop
	said=$(POUCH_BUILD=$T/odd && pouchd_start && run --uts host busybox hostname) || :
	pouchd_stop
	pouchd_start
	has '(odd)' "$said"
	refused 'nvalid hostname' --hostname '(odd)'
}

# A queue of messages on the host is seen by who shares its namespace.
shared_ipc() {
	needs ipcmk ipcrm
	queue=$(ipcmk -Q | sed 's/.*: //')
	seen=$(run --ipc host busybox cat /proc/sysvipc/msg)
	unseen=$(run busybox cat /proc/sysvipc/msg)
	ipcrm -q "$queue"
	has " $queue " "$seen"
	hasnt " $queue " "$unseen"
}

shared_namespaces() {
	pouch run -d --name owner --ipc shareable --hostname owner-name busybox sleep 1000
	is owner-name "$(pouch run --rm --net container:owner busybox hostname)"
	pouch exec owner touch /dev/shm/shared
	prints shared --ipc container:owner busybox ls /dev/shm
	pouch rm -f owner
	fails 'not found' pouch run --rm --net container:owner busybox true
}

joined_namespaces() {
	needs_joins
	pouch run -d --name owner --ipc shareable busybox sleep 1000
	is "$(pouch exec owner readlink /proc/1/ns/net)" "$(pouch run --rm --net container:owner busybox readlink /proc/self/ns/net)"
	is "$(pouch exec owner readlink /proc/1/ns/pid)" "$(run --pid container:owner busybox readlink /proc/self/ns/pid)"
	is "$(pouch exec owner readlink /proc/1/ns/ipc)" "$(run --ipc container:owner busybox readlink /proc/self/ns/ipc)"
	pouch rm -f owner
}

limits() {
	memory=$(cgroup_mount memory) cpu=$(cgroup_mount cpu)
	prints 67108864 -m 64m busybox cat "$(limit_file memory/memory.limit_in_bytes memory.max)"
	prints 512 --cpu-shares 512 busybox cat "$(limit_file cpu/cpu.shares cpu.weight)" || [ -z "$cpu" ]
	if [ -z "$cpu" ] || [ -e "$cpu/cpu.cfs_quota_us" ]; then
		prints 50000 --cpu-quota 50000 busybox cat "$(limit_file cpu/cpu.cfs_quota_us cpu.max)"
		prints 200000 --cpu-period 200000 --cpu-quota 100000 busybox cat "$(limit_file cpu/cpu.cfs_period_us cpu.max)"
	else
		# Whether what stands in for it holds: 28-limits.
		run --cpu-period 200000 --cpu-quota 100000 busybox true
	fi
	prints 0 --cpuset-cpus 0 busybox cat "$(limit_file cpuset/cpuset.cpus cpuset.cpus)"
	prints 0 --cpuset-mems 0 busybox cat "$(limit_file cpuset/cpuset.mems cpuset.mems)"
	if [ -z "$memory" ] || [ -n "$(cgroup_mount pids)" ]; then
		prints 33 --pids-limit 33 busybox cat "$(limit_file pids/pids.max pids.max)"
	else
		run --pids-limit 33 busybox true
	fi
	if [ -n "$memory" ]; then
		prints 33554432 --memory-reservation 32m busybox cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes
		prints 41 --memory-swappiness 41 busybox cat /sys/fs/cgroup/memory/memory.swappiness
		if [ -e "$memory/memory.oom_control" ]; then
			prints 'oom_kill_disable 1' -m 64m --oom-kill-disable busybox cat /sys/fs/cgroup/memory/memory.oom_control
		else
			refused 'no memory.oom_control' -m 64m --oom-kill-disable
		fi
	fi
	refused '6MB' -m 1m
	refused 'larger than memory' -m 64m --memory-swap 32m
	refused 'cpuset' --cpuset-cpus 900
	refused 'blkio' --blkio-weight 5
	refused 'does not exist' --device-read-bps /dev/no-such-disk:1mb
	exits 137 run -m 16m --memory-swap 16m busybox sh -c 'x=$(tail /dev/zero)' 2>/dev/null
}

its_own_cgroup_parent() {
	prints "/$cgroup_parent/below" --cgroup-parent "$cgroup_parent/below" --pid host --ipc host busybox sh -c 'cat /proc/self/cgroup /proc/$$/cgroup'
	refused 'not a path' --cgroup-parent ../up
	# What the user names is the user's to remove.
	in_cgroups -depth -type d -path "*/$cgroup_parent/below" -exec rmdir {} +
}

files() {
	mkdir "$T/data"
	echo inside >"$T/data/file"
	prints inside -v "$T/data:/data" busybox cat /data/file
	fails 'ead-only' run -v "$T/data:/data:ro" busybox touch /data/x
	run -v "$T/new/made:/m" busybox touch /m/x
	[ -e "$T/new/made/x" ]
	refused 'nvalid' -v "$T/data:relative"
	prints inside -v "$T/data:/data" -v "$T/data/file:/data/second" busybox cat /data/second
	prints 'nosuid' --shm-size 32m busybox grep /dev/shm /proc/mounts
	prints 'size=32768k' --shm-size 32m busybox grep /dev/shm /proc/mounts
	prints 'crw' --device /dev/null:/dev/other busybox ls -l /dev/other
	refused 'invalid device mode' --device /dev/null:/dev/x:abc
	refused 'not a device node' --device /etc/passwd
}

volumes() {
	run -v kept:/etc busybox touch /etc/more
	prints 'welcome' -v kept:/x busybox cat /x/motd
	prints more -v kept:/x busybox ls /x
	pouch create --name giver -v kept:/k -v /anonymous busybox true
	fails 'in use' pouch volume remove kept
	prints more --volumes-from giver busybox ls /k
	fails 'ead-only' run --volumes-from giver:ro busybox touch /k/y
	is 2 "$(pouch volume list -q | wc -l)"
	pouch rm -v giver
	is 1 "$(pouch volume list -q | wc -l)"
	pouch volume remove kept
	fails "volume driver 'other'" pouch run --rm --volume-driver other -v aa:/a busybox true
}

names_and_labels() {
	id=$(printf '%064d' 7 | tr 0 a)
	is "$id" "$(pouch create --specific-id "$id" --name specific -l a=b --annotation k=v --expose 99 busybox true)"
	fails 'already exist' pouch create --specific-id "$id" busybox true
	fails 'hexadecimal' pouch create --specific-id 12 busybox true
	is b "$(pouch inspect -f '{{.Config.Labels.a}}' specific)"
	is v "$(pouch inspect -f '{{.Config.SpecAnnotation.k}}' specific)"
	has 99/tcp "$(pouch inspect -f '{{.Config.ExposedPorts}}' specific)"
	pouch rm specific
}

logs() {
	pouch run --name quiet --net none --log-driver none busybox echo said
	fails 'does not support reading' pouch logs quiet
	pouch rm quiet
	pouch run --name turning --net none --log-opt max-size=1k --log-opt max-file=2 busybox sh -c 'i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo "line $i"; done'
	has 'line 100' "$(pouch logs turning)"
	hasnt 'line 1 ' "$(pouch logs turning) "
	pouch rm turning
	refused 'log' --log-driver splunk
	refused 'max-size' --log-opt max-size=large
}

network_options() {
	prints 'nameserver 9.9.9.9' --dns 9.9.9.9 busybox cat /etc/resolv.conf
	prints 'search example.org' --dns-search example.org busybox cat /etc/resolv.conf
	prints 'options ndots:3' --dns-option ndots:3 busybox cat /etc/resolv.conf
	fails 'No such file' run --disable-network-files busybox cat /etc/resolv.conf
	says '02:42:00:00:00:77' pouch run --rm --mac-address 02:42:00:00:00:77 busybox ip link show eth0
	says "${bip%.1/24}.77" pouch run --rm --ip "${bip%.1/24}.77" busybox ip addr show eth0
	prints 300 --sysctl net.ipv4.tcp_keepalive_time=300 busybox cat /proc/sys/net/ipv4/tcp_keepalive_time
	refused 'would change the host' --sysctl kernel.panic=1
	pouch run -d --name published -P --expose 80 busybox httpd -f -p 80 -h /var/www
	has 80/tcp "$(pouch port published)"
	pouch rm -f published
}

init_is_in_front() {
	prints 'pouch-init' --rich --rich-mode dumb-init busybox cat /proc/1/cmdline
}

lacking_things_are_named() {
	refused 'disk quota' --disk-quota 10g
	refused 'disk quota' --quota-id 5
	refused 'lxcfs' --enableLxcfs
	refused 'rich containers' --rich --rich-mode systemd
	refused 'init script' --rich --initscript /x
	refused 'NVIDIA' --nvidia-visible-devs all
	[ -e /sys/fs/resctrl/schemata ] || refused 'RDT' --intel-rdt-l3-cbm 'L3:0=ff'
	refused 'unknown or invalid runtime' --runtime no-such-runtime
	refused 'invalid restart policy' --restart often
}

restarted() {
	[ "$(pouch inspect -f '{{.RestartCount}}' "$1")" -ge "$2" ]
}

restart_policies() {
	# "run -d" exits with the state's code, which may be the program's already.
	pouch run -d --name failing --net none --restart on-failure:2 busybox false || :
	eventually 10 restarted failing 2
	sleep 1
	is 2 "$(pouch inspect -f '{{.RestartCount}}' failing)"
	pouch run -d --name fine --net none --restart on-failure busybox true
	pouch run -d --name always --net none --restart always busybox true
	eventually 10 restarted always 3
	is 0 "$(pouch inspect -f '{{.RestartCount}}' fine)"
	pouch stop always
	count=$(pouch inspect -f '{{.RestartCount}}' always)
	sleep 1
	is "$count" "$(pouch inspect -f '{{.RestartCount}}' always)"
	pouch rm failing fine always
}

removal_is_quick() {
	pouch run -d --name stubborn --net none busybox sh -c 'trap "" TERM; while :; do sleep 1; done'
	before=$(date +%s)
	pouch rm -f stubborn
	[ $(($(date +%s) - before)) -lt 5 ]
}

many_stop_at_once() {
	for i in 1 2 3 4 5 6; do
		pouch run -d --name "many$i" --net none busybox sh -c 'trap "" TERM; while :; do sleep 1; done'
	done
	before=$(date +%s)
	pouch stop -t 1 many1 many2 many3 many4 many5 many6
	[ $(($(date +%s) - before)) -lt 6 ]
	pouch rm many1 many2 many3 many4 many5 many6
}

failed_starts_leave_nothing() {
	exits 127 pouch run --rm busybox no-such-program
	exits 126 pouch run --rm busybox /etc/passwd
	fails 'cannot join' pouch run --rm --pid "container:$(pouch create --name never busybox true)" busybox true
	pouch rm never
	is '' "$(pouch ps -aq)"
	is '' "$(our_mounts)"
	is '' "$(our_cgroups)"
}

it 'sets up the process' process
it 'confines it' security
it 'shares namespaces of the host as told' namespaces
it 'takes the name of the host as it is' odd_host_names
it 'shares the queues of the host as told' shared_ipc
it 'shares namespaces of containers as told' shared_namespaces
it 'joins namespaces of containers as told' joined_namespaces
it 'limits resources' limits
it 'puts it under another control group' its_own_cgroup_parent
it 'shows files and devices' files
it 'keeps volumes and copies into new ones' volumes
it 'takes ids, labels and annotations' names_and_labels
it 'writes logs as told' logs
it 'sets up network and name files' network_options
it 'runs pouch-init in front' init_is_in_front
it 'names what is lacking' lacking_things_are_named
it 'restarts by policy' restart_policies
it 'removes a container that ignores SIGTERM at once' removal_is_quick
it 'stops many at once' many_stop_at_once
it 'leaves nothing of a start that failed' failed_starts_leave_nothing
