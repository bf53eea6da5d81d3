#!/bin/sh
# Rights that a container must not gain: by tracing who enters it, by set-user-ID programs, by device nodes, by control groups
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

bundle
attack_install "$bundle/rootfs"

# ---- tracing an exec ------------------------------------------------------------------------------------------------------------

# traced CAPABILITY,...: what the first process gets hold of while others are started by exec; the caught ones are in $T/traced
trace_execs() {
	caps=$1 args='"/bin/attack", "trace", "2"' config
	oci run -d -b "$bundle" "$id" </dev/null >"$T/traced" 2>&1
	eventually 3 grep -q watching "$T/traced"
	tries=0
	while ! grep -q '^traced' "$T/traced" && [ $tries -lt 60 ]; do
		oci exec "$id" /bin/attack caps </dev/null >/dev/null 2>&1 || :
		tries=$((tries + 1))
	done
	eventually 5 grep -q '^traced' "$T/traced"
	remove "$id"
}

# The defence switched off: a container that may trace anybody.
whoever_may_trace_gets_the_runtime() {
	trace_execs '"CAP_SYS_PTRACE"'
	grep -q '^  Name:.pouch-\(oci\|exec\)' "$T/traced" || { sort "$T/traced" | uniq -c; return 1; }
}

entering_is_not_traced() {
	hide "$1"
	trace_execs '"CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_KILL","CAP_SETUID","CAP_SETGID","CAP_SETPCAP"'
	hasnt pouch-oci "$(cat "$T/traced")"
	hasnt pouch-exec "$(cat "$T/traced")"
	# Whom it caught had no more than itself, and nothing of the host.
	for set in $(sed -n 's/^  CapEff:.//p' "$T/traced"); do
		is 00000000000001e3 "$(known_set "$set")"
	done
	# A played kernel gives files that it made for those of /proc.
	is '' "$(sed -n 's/^  fd [0-9]*: //p' "$T/traced" |
		grep -vE '^(/dev/null|pipe:|socket:|/proc/[0-9]+/|'"${AS_KERNEL:+/memfd:as-kernel|}$T"'/traced|/dev/tty)' | sort -u)"
}

known_set() {
	known_caps "x	$1" | cut -f 2
}

it 'catches an exec where the container may trace anybody' whoever_may_trace_gets_the_runtime
it 'lets nobody trace who enters' entering_is_not_traced ''
it 'lets nobody trace who enters by the agent' entering_is_not_traced setns

# ---- programs that give rights --------------------------------------------------------------------------------------------------

suid_install() {
	cp "$attack" "$bundle/rootfs/bin/suid"
	chmod 4755 "$bundle/rootfs/bin/suid"
	cp "$attack" "$bundle/rootfs/bin/filecaps"
	chmod 755 "$bundle/rootfs/bin/filecaps"
}

as_user() {
	user='{"uid":1000,"gid":1000}' args="\"$1\", \"caps\"" config
	oci run -b "$bundle" "$id" 2>&1
}

set_user_id_gives_the_bounding_set() {
	caps='"CAP_CHOWN","CAP_NET_RAW"' capabilities="{\"bounding\": [$caps]}"
	got=$(as_user /bin/suid)
	has 'uid 0' "$got"
	has "CapEff:	0000000000002001" "$(known_caps "$(echo "$got" | head -n 1)")"
}

file_capabilities_give_theirs() {
	needs setcap
	setcap cap_net_raw+ep "$bundle/rootfs/bin/filecaps" || skip 'no capabilities of files here'
	caps='"CAP_CHOWN","CAP_NET_RAW"' capabilities="{\"bounding\": [$caps]}"
	has 'CapEff:	0000000000002000' "$(as_user /bin/filecaps)"
}

nothing_is_gained_beyond_the_bounding_set() {
	needs setcap
	setcap cap_sys_admin+ep "$bundle/rootfs/bin/filecaps" || skip 'no capabilities of files here'
	caps='"CAP_CHOWN"' capabilities="{\"bounding\": [$caps]}"
	got=$(as_user /bin/filecaps) || :
	case $got in
	*ermi*) ;;
	*) has 'CapEff:	0000000000000000' "$(known_caps "$got")" ;;
	esac
	user='{"uid":1000,"gid":1000}' start_sleeper
	got=$(oci exec -u 1000:1000 "$id" /bin/filecaps caps 2>&1) || :
	hasnt 'CapEff:	0000000000200000' "$got"
	got=$(oci exec -u 1000:1000 "$id" /bin/suid caps 2>&1)
	remove "$id"
	has 'CapEff:	0000000000000001' "$(known_caps "$(echo "$got" | head -n 1)")"
}

no_new_privileges_gives_nothing() {
	! command -v setcap >/dev/null || setcap cap_net_raw+ep "$bundle/rootfs/bin/filecaps" || :
	caps='"CAP_CHOWN","CAP_NET_RAW"' capabilities="{\"bounding\": [$caps]}" process='"noNewPrivileges":true'
	for program in /bin/suid /bin/filecaps; do
		got=$(as_user $program)
		has 'CapEff:	0000000000000000' "$(known_caps "$got")"
		has 'uid 1000' "$got"
	done
	args='"sleep", "1000"' user='{"uid":1000,"gid":1000}' start_sleeper
	for program in /bin/suid /bin/filecaps; do
		has 'CapEff:	0000000000000000' "$(known_caps "$(oci exec -u 1000:1000 --no-new-privs "$id" $program caps)")"
	done
	remove "$id"
}

suid_install
it 'gives the bounding set by a set-user-ID program' set_user_id_gives_the_bounding_set
it 'gives capabilities of a file' file_capabilities_give_theirs
it 'gives nothing beyond the bounding set' nothing_is_gained_beyond_the_bounding_set
it 'gives nothing with no_new_privs' no_new_privileges_gives_nothing

# ---- devices --------------------------------------------------------------------------------------------------------------------

# The disk of the root file system, or another one; and a device of no use to containers.
disk=$(awk '$3 ~ /^[1-9]/ && $10 ~ "^/dev/" || $9 ~ "^/dev/" { print $3; exit }' /proc/self/mountinfo)
[ -n "$disk" ] || disk=8:0
odd=$(awk '$2 ~ /^(fuse|loop-control|device-mapper|hpet|vga_arbiter|rfkill)$/ { print $1; exit }' /proc/misc)

open_devices() {
	args=$(sh_args "mknod /tmp/disk b ${disk%:*} ${disk#*:}; mknod /tmp/odd c 10 ${odd:-1}; attack open /tmp/disk; attack open /tmp/odd; attack open /dev/null") \
		caps='"CAP_MKNOD"' config
	[ "${1-}" != all ] || sed -i 's/{"allow": false, "access": "rwm"}/{"allow": true, "access": "rwm"}/' "$bundle/config.json"
	oci run -b "$bundle" "$id" 2>&1 || :
	rm -f "$bundle/rootfs/tmp/disk" "$bundle/rootfs/tmp/odd"
}

devices_open_without_rules() {
	[ -n "$odd" ] || skip 'this machine has no device of no use to containers'
	got=$(open_devices all)
	is 'open: yes' "$(echo "$got" | sed -n 2p)"
	mknod "$T/disk" b "${disk%:*}" "${disk#*:}"
	! "$attack" open "$T/disk" || is 'open: yes' "$(echo "$got" | sed -n 1p)"
	rm "$T/disk"
}

rules_hold() {
	[ -n "$(cgroup_mount devices)" ] || skip 'this host has no v1 devices controller'
	got=$(open_devices)
	is 'open: yes' "$(echo "$got" | tail -n 1)"
	hasnt 'open: yes' "$(echo "$got" | sed '$d')"
	has 'not permitted' "$got"
	# Nodes that come with the image, or by a mount with devices in it
	mknod "$bundle/rootfs/disk" b "${disk%:*}" "${disk#*:}"
	mkdir -p "$T/nodes"
	mknod "$T/nodes/disk" b "${disk%:*}" "${disk#*:}"
	mounts="{\"destination\":\"/nodes\",\"type\":\"bind\",\"source\":\"$T/nodes\",\"options\":[\"rbind\",\"dev\"]}"
	got=$(run_sh 'attack open /disk; attack open /nodes/disk' 2>&1) || :
	rm "$bundle/rootfs/disk"
	hasnt 'open: yes' "$got"
	start_sleeper
	got=$(oci exec --cap CAP_MKNOD "$id" sh -c "mknod /tmp/disk b ${disk%:*} ${disk#*:}; attack open /tmp/disk" 2>&1) || :
	remove "$id"
	hasnt 'open: yes' "$got"
}

# The rules are of the control group: nobody leaves it or changes it.
rules_cannot_be_changed() {
	[ -n "$(cgroup_mount devices)" ] || skip 'this host has no v1 devices controller'
	mounts='{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
		{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid","noexec","nodev","relatime","ro"]}'
	caps='"CAP_MKNOD","CAP_DAC_OVERRIDE","CAP_CHOWN"'
	fails '' run_sh 'echo a >/sys/fs/cgroup/devices/devices.allow'
	fails '' run_sh 'mkdir /sys/fs/cgroup/devices/x'
	fails '' run_sh 'echo 1 >/sys/fs/cgroup/devices/tasks'
	fails '' run_sh 'mkdir /tmp/cg; mount -t cgroup -o devices x /tmp/cg'
}

it 'opens devices where there are no rules' devices_open_without_rules
it 'holds to the rules' rules_hold
it 'lets no container change them' rules_cannot_be_changed

# ---- release_agent --------------------------------------------------------------------------------------------------------------

# A hierarchy of its own, so that the host's keep theirs; the kernel runs the program in the host's namespaces.
release_agent_script() {
	cat <<-END
	mkdir -p /tmp/cg && mount -t cgroup -o none,name=release$$ x /tmp/cg || exit 9
	echo $T/escape >/tmp/cg/release_agent || exit 8
	mkdir /tmp/cg/x && echo 1 >/tmp/cg/x/notify_on_release
	sh -c 'echo 0 >/tmp/cg/x/tasks'
	sleep 0.5
	rmdir /tmp/cg/x
	umount /tmp/cg
	END
}

# A hierarchy goes with its last mount, unless a group was just being removed; then with the next one.
hierarchy_goes() {
	grep -q ":name=release$$:" /proc/self/cgroup || return 0
	mkdir -p "$T/hierarchy"
	mount -t cgroup -o "none,name=release$$" x "$T/hierarchy" || return 1
	[ ! -e "$T/hierarchy/x" ] || rmdir "$T/hierarchy/x" || :
	sleep 0.1
	umount "$T/hierarchy"
	! grep -q ":name=release$$:" /proc/self/cgroup
}

release_agent_escapes_with_the_capability() {
	printf '#!/bin/sh\n: >%s/escaped\n' "$T" >"$T/escape"
	chmod 755 "$T/escape"
	namespaces='{"type":"pid"},{"type":"mount"}' hostname='' caps='"CAP_SYS_ADMIN","CAP_DAC_OVERRIDE"'
	args='"sh", "/release"' config
	sed -i '/"hostname"/d' "$bundle/config.json"
	release_agent_script >"$bundle/rootfs/release"
	went=0
	exits 0 oci run -b "$bundle" "$id" || went=1
	eventually 5 hierarchy_goes
	[ $went = 0 ] || skip 'this kernel has no hierarchy of version 1 for it'
	eventually 3 [ -e "$T/escaped" ] || skip 'the kernel runs no helper here'
	rm "$T/escaped"
}

release_agent_does_nothing_without() {
	release_agent_script >"$bundle/rootfs/release"
	caps='"CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_MKNOD","CAP_SYS_CHROOT","CAP_SETFCAP"'
	args='"sh", "/release"' config
	exits 9 oci run -b "$bundle" "$id"
	mounts='{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
		{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid","noexec","nodev","relatime"]}'
	for namespaces in "$default_namespaces" '{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"network"},{"type":"ipc"}'; do
		args=$(sh_args 'for f in $(find /sys/fs/cgroup -name release_agent); do echo /x >$f && echo wrote $f; done; true') config
		hasnt wrote "$(oci run -b "$bundle" "$id" 2>&1)"
	done
	[ ! -e "$T/escaped" ]
}

it 'escapes by release_agent with the capability' release_agent_escapes_with_the_capability
it 'leaves release_agent alone without' release_agent_does_nothing_without
