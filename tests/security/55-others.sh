#!/bin/sh
# What is another's: files, processes, memory, sockets and control groups of other containers, of the engine and of the host
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

export POUCHD_OWN_SECRET=of-the-daemon
umask 000	# whoever starts the daemon
pouchd_start
umask 022
image_load >/dev/null
pouch run -d --name first --net none -e WORD=first-secret busybox sh -c 'echo first-secret >/dev/shm/mine; echo first-secret >/tmp/mine; exec sleep 1000' >/dev/null
pouch run -d --name second --net none busybox sleep 1000 >/dev/null
first=$(pouch inspect -f '{{.State.Pid}}' first)
second=$(pouch inspect -f '{{.State.Pid}}' second)
first_id=$(pouch inspect -f '{{.Id}}' first)

namespaces_are_their_own() {
	[ -e /proc/self/ns/mnt ] || skip 'this kernel does not show namespaces'
	for kind in mnt pid ipc uts net; do
		[ -e /proc/self/ns/$kind ] || continue
		seen=$(for p in self "$first" "$second"; do readlink "/proc/$p/ns/$kind"; done | sort -u | wc -l)
		is "$kind 3" "$kind $seen"
	done
}

# With the defence off, each is seen.
sharing_shows_others() {
	has first-secret "$(tr '\0' '\n' <"/proc/$first/environ")"
	pouch run -d --name sharer --net none --ipc host --pid host busybox sleep 1000 || skip 'no namespaces of the host are shared here'
	[ "$(pouch exec sharer sh -c 'cd /proc && echo [0-9]* | wc -w')" -gt 12 ]
	pouch rm -f sharer
}

others_are_not_seen() {
	has sleep "$(pouch exec second cat /proc/1/cmdline | tr '\0' ' ')"
	[ "$(pouch exec second sh -c 'cd /proc && echo [0-9]* | wc -w')" -lt 9 ]
	is '' "$(pouch exec second sh -c 'cat /dev/shm/* /tmp/* 2>/dev/null' || :)"
	hasnt first-secret "$(pouch exec second sh -c 'cat /proc/*/environ' 2>&1)"
	hasnt "$first_id" "$(pouch exec second sh -c 'cat /proc/self/mountinfo | grep -v overlay; find /sys/fs/cgroup -maxdepth 4' 2>&1)"
	# Neither who started it
	hasnt of-the-daemon "$(pouch exec second sh -c 'cat /proc/*/environ; env' 2>&1)"
	hasnt of-the-daemon "$(tr '\0' '\n' <"/proc/$second/environ")"
	is 0022 "$(pouch exec second sh -c umask)"
}

cgroups_are_read_only() {
	fails '' pouch exec second sh -c 'echo 1 >/sys/fs/cgroup/cgroup.procs'
	got=$(pouch exec second sh -c 'find /sys/fs/cgroup -type f -maxdepth 3 | while read -r f; do (echo 1 >$f) 2>/dev/null && echo wrote $f; done; true')
	is '' "$got"
	fails '' pouch exec second mkdir /sys/fs/cgroup/x
}

# What the engine keeps of containers is for nobody else on the host: their variables, their output, their sockets.
files_are_for_root() {
	# Root file systems are for root alone, by the directories above them.
	is '' "$(find "$home" "$exec_root" ! -type l -perm -002 ! -path '*/rootfs/*' ! -path '*/layers/*')"
	cd "$home/containers/$first_id"
	for file in *; do
		case $file in
		hosts | hostname | resolv.conf) ;;	# programs that are not root's read them in the container
		*) is "$file 0" "$file $(stat -c %a "$file" | cut -c 3)" ;;
		esac
	done
	cd "$exec_root/$first_id"
	for file in *; do
		is "$file 00" "$file $(stat -c %a "$file" | cut -c 2-3)"
	done
	for dir in "$home" "$home/containers" "$home/image" "$exec_root" "$exec_root/oci/$first_id"; do
		case $(stat -c %a "$dir") in
		7[01][01]) ;;
		*) echo "$dir is $(stat -c %a "$dir")"; return 1 ;;
		esac
	done
	for file in "$home/containers/$first_id/container.json" "$home/containers/$first_id/json.log" "$exec_root/$first_id/config.json" \
		"$home/image/repositories.json"; do
		[ -e "$file" ]
		fails 'denied' "$attack" as 1000 cat "$file"
	done
}

it 'gives each its own namespaces' namespaces_are_their_own
it 'shows others where namespaces are shared' sharing_shows_others
it 'shows nothing of others' others_are_not_seen
it 'lets none write to control groups' cgroups_are_read_only
it 'keeps its files from others on the host' files_are_for_root
