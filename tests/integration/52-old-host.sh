#!/bin/sh
# a whole daemon on a kernel that lacks what 2.6.32 lacks around networks, rights and C libraries
. "$(dirname "$0")/../lib.sh"

needs ip iptables-save curl
export POUCH_HIDE="${POUCH_HIDE:+$POUCH_HIDE,}veth-peer-netns,addrtype,route_localnet,reboot-pidns,no_new_privs,seccomp,seccomp-filter,oom_score_adj,at_empty_path,sys-fs-cgroup,statfs-flags"
pouchd_start || exit 1
image_load >/dev/null || exit 1

substitutes_are_chosen() {
	compat=$(pouch compat)
	for choice in 'interface-pair .*move' 'nat-addresses .*list' 'loopback-ports .*proxy' 'reboot .*no-capability' \
		'no-new-privs .*nosuid-mounts' 'seccomp .*capabilities' 'oom-score .*oom_adj' 'image-libc .*old-libc' \
		'cgroup-mount .*tmpfs'; do
		chosen=$(echo "$compat" | awk '/^[a-z]/ { name = $1 } / \* / { sub(/.*\* /, ""); print name, $1 }' | grep -c "^${choice%% *} ${choice##*.\*}$")
		is 1 "$chosen"
	done
	has 'WARNING: No seccomp support: containers run without the default profile' "$(pouch info 2>&1)"
}
it 'chooses the substitutes and says so' substitutes_are_chosen

web='mkdir /www && hostname >/www/name && exec httpd -f -p 80 -h /www'
page() {
	curl -sf -m 2 "http://$1/name"
}

serves() {
	eventually 10 page "$1"
	is webhost "$(page "$1")"
}

ports() {
	pouch run -d --name web --hostname webhost -p 18080:80 -p 127.0.0.1:18081:80 busybox sh -c "$web"
	serves 127.0.0.1:18080
	serves 127.0.0.1:18081
	serves "${bip%/*}:18080"
	has "-j POUCH-$bridge-LOCAL" "$(iptables-save)"
	hasnt addrtype "$(iptables-save)"
	pouchd_kill9
	pouchd_start
	serves "${bip%/*}:18080"
	pouch rm -f web
	fails '' page "${bip%/*}:18080"
	is '' "$(iptables-save | grep -e --dport || true)"
	is '' "$(veths)"
}
it 'publishes ports by a list of addresses and a proxy' ports

bounding() {
	pouch run --rm "$@" busybox grep CapBnd /proc/self/status | cut -f2
}

# bit MASK NUMBER: 1 when it is set. Of the lower half: 2.6.32 sets bits up to the highest, for which shells have no number.
bit() {
	echo $(((0x${1#????????} >> $2) & 1))
}

rights() {
	is 0 "$(bit "$(bounding)" 22)"			# CAP_SYS_BOOT
	is 0 "$(bit "$(bounding --privileged)" 22)"
	is 0 "$(bit "$(bounding --cap-add ALL)" 22)"
	is 1 "$(bit "$(bounding --privileged)" 21)"	# CAP_SYS_ADMIN
	is 1 "$(bit "$(bounding --cap-add SYS_BOOT)" 22)"
	is 1 "$(bit "$(bounding --privileged --cap-add SYS_BOOT)" 22)"
	pouch run -d --name root busybox sleep 1000
	if joins; then
		is 0 "$(bit "$(pouch exec --privileged root grep CapBnd /proc/self/status | cut -f2)" 22)"
	else
		fails 'cannot get more capabilities than its container' pouch exec --privileged root true
	fi
	pouch rm -f root
}
it 'gives nobody the right to restart the host who does not ask for it' rights

filters() {
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$T/profile.json"
	fails "security option 'seccomp': not available here" pouch create --security-opt "seccomp=$T/profile.json" busybox true
	pouch run --rm --security-opt seccomp=unconfined busybox true
	is '' "$(pouch ps -aq)"
}
it 'refuses a filter that cannot be' filters

no_new_privileges() {
	pouch run -d --name plain --security-opt no-new-privileges busybox sleep 1000
	is '' "$(pouch exec plain grep -v nosuid /proc/self/mountinfo || true)"
	is in "$(pouch exec plain echo in)"
	pouch rm -f plain
}
it 'keeps a promise of no new privileges by mounts' no_new_privileges

scores() {
	[ -e /proc/self/oom_adj ] || skip 'this kernel has no oom_adj'
	is 15 "$(pouch run --rm --oom-score-adj 1000 busybox cat /proc/self/oom_adj)"
}
it 'translates the OOM score' scores

sysctls() {
	fails "sysctl 'net.core.no_such_thing': not available here" pouch create --sysctl net.core.no_such_thing=1 busybox true
	is 99 "$(pouch run --rm --sysctl net.core.somaxconn=99 busybox cat /proc/sys/net/core/somaxconn)"
}
it 'refuses settings that the kernel does not have' sysctls

groups() {
	is "$(pouch run --rm busybox ls /sys/fs | sort)" "$({ ls /sys/fs; echo cgroup; } | sort -u)"
	[ -n "$(pouch run --rm busybox ls /sys/fs/cgroup)" ]
}
it 'shows control groups by a tmpfs over sysfs' groups

# The last who dies of such a container unmounts its root file system, in no group any more: 2.6.32 panics when its CPU group is gone by then.
endings() {
	n=0
	while [ $n -lt 10 ]; do
		n=$((n + 1))
		id=$(pouch run -d --net none --pid host busybox sh -c 'while :; do (:) & usleep 3000; done')
		pouch rm -f "$id"
	done
	is '' "$(pouch ps -aq --filter "id=$id")"
}
it 'removes containers while their processes come and go' endings

# glibc_image: an image "glibc" with this host's C library and "tool", which needs it
glibc_image() {
	loader=/lib64/ld-linux-x86-64.so.2
	[ -e "$loader" ] && command -v ldd >/dev/null || skip 'this host has no glibc'
	libc=$(ldd /bin/true 2>/dev/null | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
	[ -n "$libc" ] || skip 'this host has no program that needs glibc'
	version=$("$libc" | sed -n '1s/.* version \([0-9]*\.[0-9]*\).*/\1/p')
	case $version in
	2.3[3-8]) ;;
	*) skip "the C library of this host, $version, runs on old kernels" ;;
	esac
	mkdir -p "$T/glibc/lib64" "$T/glibc$(dirname "$libc")" "$T/glibc/bin"
	cp -L "$loader" "$T/glibc/lib64/"
	cp -L "$libc" "$T/glibc$libc"
	cp -L /bin/true "$T/glibc/bin/tool"
	printf '#!/bin/tool\n' >"$T/glibc/bin/script"
	chmod 755 "$T/glibc/bin/script"
	sh "$tests/mkimage" "$T/glibc.tar" glibc:latest "$T/glibc"
	pouch load -i "$T/glibc.tar"
}

libraries() {
	glibc_image
	fails "cannot run 'tool' on Linux $(uname -r): the glibc $version of its image needs fstatat(AT_EMPTY_PATH)" pouch run --rm glibc tool
	exits 125 pouch run --rm glibc tool
	exits 125 pouch run --rm glibc script
	is 1 "$(pouch run --rm glibc tool 2>&1 | wc -l)"
	pouch create --name late glibc tool
	fails 'what runs here' pouch start late
	pouch rm late
	is static "$(pouch run --rm glibc busybox echo static)"
	[ "$(uname -r | cut -d. -f1)" -ge 5 ] || return 0
	pouch run --rm --annotation pouch.libc-check=off glibc tool
}
it 'says before the start what the C library of an image needs' libraries
