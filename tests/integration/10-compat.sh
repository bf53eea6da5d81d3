#!/bin/sh
# 10-compat.sh - what this host can do, hidden features, forced backends, the cache
. "$(dirname "$0")/../lib.sh"

# backend NAME: what "pouch compat" says was chosen for a capability
backend() {
	pouch compat | awk -v want="$1" '
	$0 !~ /^ / { name = $1 }
	name == want && $1 == want && $2 == "*" { print $3; exit }
	name == want && $1 == "*" { print $2; exit }'
}

# profile BODY: /etc/pouch/compat.xml of this test's own mount namespace
profile() {
	needs_own_mounts
	if [ ! -e "$T/etc" ]; then
		mkdir "$T/etc"
		cp -a /etc/. "$T/etc/"
		mount --bind "$T/etc" /etc
		mkdir -p /etc/pouch
	fi
	echo "<compat>$1</compat>" >/etc/pouch/compat.xml
}

# Only what is ours: the host may have one.
no_profile() {
	[ ! -e "$T/etc" ] || rm -f /etc/pouch/compat.xml
}

without_a_daemon() {
	says 'has probed the host itself' pouch compat
	says 'layered-root' pouch compat
	says 'would lose' pouch compat
	says 'WORKS' pouch compat --all
	says '"Capabilities"' pouch compat --format json
	if command -v python3 >/dev/null; then
		pouch compat --format json 2>/dev/null | python3 -c 'import json, sys
r = json.load(sys.stdin)
assert all(c["Reason"] for c in r["Capabilities"]) and all(f["Reason"] for f in r["Features"])'
	fi
}
it 'answers without a daemon, and says so' without_a_daemon

unknown_names() {
	fails "POUCH_HIDE: unknown feature 'nonsense': known are subreaper" env POUCH_HIDE=nonsense "$POUCH_BUILD/pouch" -H "unix://$socket" compat
	fails "unknown feature 'nonsense'" env POUCH_HIDE=nonsense "$POUCH_BUILD/pouchd" --home-dir "$home" --exec-root-dir "$exec_root" --listen "unix://$socket"
	fails "unknown feature 'nonsense'" env POUCH_HIDE=nonsense "$POUCH_BUILD/pouch-oci" list
}
it 'refuses names that it does not know' unknown_names

probes_leave_nothing() {
	before=$(cat /proc/self/mountinfo; ip -o link 2>/dev/null | wc -l; find /tmp /var/lib -maxdepth 1 -name '.compat-*' 2>/dev/null)
	pouch compat >/dev/null 2>&1
	after=$(cat /proc/self/mountinfo; ip -o link 2>/dev/null | wc -l; find /tmp /var/lib -maxdepth 1 -name '.compat-*' 2>/dev/null)
	is "$before" "$after"
}
it 'leaves no mount, interface or file behind' probes_leave_nothing

# What probes could change, and whether the kernel complained.
host_state() {
	cat /proc/self/mountinfo /proc/sys/kernel/ctrl-alt-del
	ip -o link 2>/dev/null | wc -l
	dmesg 2>/dev/null | grep -c -e 'BUG:' -e Oops || :
}

hundreds_of_starts() {
	before=$(host_state)
	n=0
	while [ $n -lt "${STARTS:-200}" ]; do
		timeout 20 "$POUCH_BUILD/pouch" -H "unix://$T/nobody.sock" compat >"$T/compat.out" 2>&1 || {
			echo "start $n exited with $?"
			tail -n 3 "$T/compat.out"
			return 1
		}
		n=$((n + 1))
	done
	is "$before" "$(host_state)"
}
it 'probes hundreds of times in a row, and the host is as before' hundreds_of_starts

pouchd_start --disable-bridge

from_the_daemon() {
	hasnt 'probed the host itself' "$(pouch compat 2>&1)"
	has "Home:     $home" "$(pouch compat)"
	if command -v curl >/dev/null; then
		has '"Capabilities":[' "$(curl -sS --unix-socket "$socket" http://pouch/compat)"
		has '"Capabilities":[' "$(curl -sS --unix-socket "$socket" http://pouch/v1.24/compat)"
	fi
}
it 'asks the daemon where there is one' from_the_daemon

cached_for_this_boot() {
	[ -s "$exec_root/compat.json" ]
	pouchd_stop
	pouchd_start --disable-bridge
	says 'earlier in this boot' pouch compat
	echo '{"key": "damaged' >"$exec_root/compat.json"
	pouchd_stop
	pouchd_start --disable-bridge
	says 'just now' pouch compat
}
it 'probes once a boot, and again when its notes are damaged' cached_for_this_boot

hidden_by_environment() {
	pouchd_stop
	POUCH_HIDE=overlay,aufs,btrfs,device-mapper,fuse,pidfd
	export POUCH_HIDE
	pouchd_start --disable-bridge
	unset POUCH_HIDE
	is copy "$(backend layered-root)"
	is start-time "$(backend process-handle)"
	says 'Hidden:   overlay aufs btrfs device-mapper fuse pidfd' pouch compat
	says 'Storage Driver: copy' pouch info
}
it 'takes the substitutes of what POUCH_HIDE hides' hidden_by_environment

forced_and_followed() {
	pouchd_stop
	profile '<force capability="layered-root" backend="copy"/><force capability="switch-root" backend="move"/><force capability="safe-paths" backend="walk"/><hide feature="memfd"/>'
	pouchd_start --disable-bridge
	is copy "$(backend layered-root)"
	is move "$(backend switch-root)"
	is walk "$(backend safe-paths)"
	says 'forced by compat.xml' pouch compat
	says 'Storage Driver: copy' pouch info
	image_load
	says hello pouch run --rm --net none busybox echo hello
	pouchd_stop
	no_profile
}
it 'follows compat.xml in the daemon and in the containers' forced_and_followed

# refused BODY TEXT: a profile with which pouchd does not start
refused() {
	profile "$1"
	fails "$2" timeout 20 "$POUCH_BUILD/pouchd" --home-dir "$home" --exec-root-dir "$exec_root" --listen "unix://$socket" --disable-bridge
	[ ! -e "$socket" ]
	no_profile
}

forced_in_vain() {
	refused '<hide feature="overlay"/><force capability="layered-root" backend="overlay"/>' "layered-root 'overlay' does not work here: hidden"
	refused '<force capability="layered-root" backend="zfs"/>' "capability 'layered-root' has no backend 'zfs': it has overlay aufs btrfs devmapper-thin devmapper-snapshot fuse copy"
	refused '<hide feature="nonsense"/>' "compat.xml: line 1: unknown feature 'nonsense'"
	refused '<hide>' 'compat.xml: line 1'
}
it 'ends the start, with the reason, when compat.xml asks for what cannot be' forced_in_vain

old_and_whole() {
	profile '<kernel name="all" match="*"><quirk>none</quirk><hide feature="statx"/></kernel>'
	pouchd_start --disable-bridge
	says '(all)' pouch compat
	has 'statx' "$(pouch compat | grep Hidden)"
	pouchd_stop
	no_profile
	cp "$tests/../compat/profile.xml" /etc/pouch/compat.xml
	pouchd_start --disable-bridge
	pouchd_stop
	no_profile
}
it 'takes the shipped profile, and what it says of this kernel' old_and_whole

umount /etc 2>/dev/null || :
