# shellcheck shell=sh disable=SC2154 # tests and T are lib.sh's
# private-root.sh - a root file system of busybox, and a machine's namespaces around it, for tests of what is installed
#
#	. "$(dirname "$0")/../lib.sh"
#	. "$tests/private-root.sh"
#	private_root_make		# $R: busybox, /etc, and what the programs of $POUCH_BUILD are linked with
#	private_root_boot		# namespaces of its own: mounts with $R as root, processes, network
#	inside /etc/init.d/pouch start
#	private_root_halt		# ends whatever runs in it
#
# Nothing in it sees the host's files or processes, so paths are those of a real installation.

R=$T/root

# copy_libraries PROGRAM...: into $R, at the same places
copy_libraries() {
	ldd "$@" 2>/dev/null | sed -n 's/^.*\(=> \|^[[:space:]]*\)\(\/[^ ]*\) (0x.*/\2/p' | sort -u | while read -r library; do
		[ -e "$R$library" ] || { mkdir -p "$R${library%/*}" && cp -L "$library" "$R$library"; }
	done
}

private_root_make() {
	busybox=$(command -v busybox) || skip 'busybox-static is not installed'
	mkdir -p "$R/bin" "$R/sbin" "$R/usr/bin" "$R/usr/sbin" "$R/etc" "$R/proc" "$R/sys" "$R/dev" "$R/tmp" "$R/var/run" "$R/var/log" \
		"$R/var/lib" "$R/var/lock" "$R/root" "$R/old" "$R/run"
	chmod 1777 "$R/tmp"
	cp "$busybox" "$R/bin/busybox"
	for applet in $("$busybox" --list); do
		[ -e "$R/bin/$applet" ] || ln "$R/bin/busybox" "$R/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$R/etc/passwd"
	printf 'root:x:0:\nnobody:x:65534:\n' >"$R/etc/group"
	# What useradd's package brings on a real host.
	printf '#!/bin/sh\n[ "$1" = -r ] && echo "$2:x:990:" >>/etc/group\n' >"$R/usr/sbin/groupadd"
	chmod 755 "$R/usr/sbin/groupadd"
	copy_libraries "$POUCH_BUILD/pouchd" "$POUCH_BUILD/pouch" "$POUCH_BUILD/pouch-shim" "$POUCH_BUILD/pouch-oci"
}

private_root_can_boot() {
	[ "$(id -u)" = 0 ] || skip 'a private root needs root'
	needs unshare nsenter
	unshare -m -n true 2>/dev/null || skip 'no namespaces for a private root'
	unshare -p -f --kill-child true 2>/dev/null || skip 'no pid namespace for a private root: this kernel makes none by unshare'
	nsenter -t $$ -m -p -n true 2>/dev/null || skip 'this kernel lets nobody into the namespaces of a private root'
}

# The first process reaps what is left to it, as init does: a shell does so while it waits for another.
private_root_boot() {
	private_root_can_boot
	# shellcheck disable=SC2016 # the inner shell's
	unshare -m -p -n -f --kill-child sh -c '
		set -e
		mount --make-rprivate /
		mount --bind "$1" "$1"
		mount -t proc proc "$1/proc"
		mount --rbind /sys "$1/sys"
		mount --rbind /dev "$1/dev"
		cd "$1"
		pivot_root . old
		umount -l /old
		cd /
		exec /bin/sh -c "ip link set lo up; : >/booted; while :; do sleep 1; done"
	' sh "$R" >"$T/private-root.log" 2>&1 </dev/null &
	private_root_holder=$!
	eventually 10 [ -e "$R/booted" ] || { cat "$T/private-root.log"; return 1; }
	rm -f "$R/booted"
	private_root_init=$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$private_root_holder" '$4 == parent { print $1 }')
	[ -n "$private_root_init" ]
}

# inside COMMAND...
inside() {
	nsenter -t "$private_root_init" -m -p -n env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/root "$@"
}

# inside_as_nobody COMMAND...
inside_as_nobody() {
	nsenter -t "$private_root_init" -m -p -n -S 65534 -G 65534 env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin "$@"
}

private_root_halt() {
	[ -n "${private_root_holder-}" ] || return 0
	kill -9 "${private_root_init:-$private_root_holder}" 2>/dev/null || :
	wait "$private_root_holder" 2>/dev/null || :
	private_root_holder=
}

# Also when the file ends early: nothing else would end what runs inside.
trap 'private_root_code=$?; private_root_halt; (exit $private_root_code); finish' EXIT
