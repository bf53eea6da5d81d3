#!/bin/sh
# pouch-oci: root file system, mounts, devices, masked and read-only paths
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle
mkdir -p "$T/src/sub"
echo one >"$T/src/file"
echo two >"$T/src/sub/file"

options_of() {
	run_sh "grep ' $1 ' /proc/self/mountinfo | tail -n 1"
}

root_can_be_read_only() {
	readonly=true fails 'Read-only file system' run_sh 'touch /file'
	run_sh 'touch /file; rm /file'
	is '' "$(our_mounts)"
}

binds_take_their_options() {
	mounts="{\"destination\":\"/mnt/a\",\"type\":\"bind\",\"source\":\"$T/src\",\"options\":[\"rbind\",\"ro\",\"nosuid\",\"noexec\"]}"
	out=$(options_of /mnt/a)
	has ro,nosuid,noexec "$out"
	fails 'Read-only' run_sh 'touch /mnt/a/x'
	mounts="{\"destination\":\"/mnt/b\",\"type\":\"bind\",\"source\":\"$T/src\",\"options\":[\"bind\"]}"
	run_sh 'echo new >/mnt/b/new'
	is new "$(cat "$T/src/new")"
	mounts="{\"destination\":\"/mnt/f\",\"type\":\"bind\",\"source\":\"$T/src/file\",\"options\":[\"bind\",\"ro\"]}"
	is one "$(run_sh 'cat /mnt/f')"
	mounts="{\"destination\":\"/mnt/n\",\"source\":\"$T/src/file\",\"type\":\"none\",\"options\":[\"bind\",\"ro\"]}"
	is one "$(run_sh 'cat /mnt/n')"
}

recursive_read_only_covers_submounts() {
	mkdir -p "$T/tree/below"
	mount -t tmpfs below "$T/tree/below"
	mounts="{\"destination\":\"/mnt/ro\",\"type\":\"bind\",\"source\":\"$T/tree\",\"options\":[\"rbind\",\"ro\"]}"
	run_sh 'touch /mnt/ro/below/x' || { umount "$T/tree/below"; return 1; }
	mounts="{\"destination\":\"/mnt/rro\",\"type\":\"bind\",\"source\":\"$T/tree\",\"options\":[\"rbind\",\"rro\"]}"
	got=0
	fails 'Read-only' run_sh 'touch /mnt/rro/below/y' || got=1
	umount "$T/tree/below"
	return $got
}

tmpfs_takes_its_data() {
	mounts='{"destination":"/t","type":"tmpfs","source":"tmpfs","options":["nodev","size=1m","mode=1770"]}'
	has size=1024k "$(options_of /t)"
	is 1770 "$(run_sh 'stat -c %a /t')"
}

tmpfs_copies_up() {
	mkdir -p "$bundle/rootfs/data/dir"
	echo kept >"$bundle/rootfs/data/dir/file"
	ln -sf dir/file "$bundle/rootfs/data/link"
	mounts='{"destination":"/data","type":"tmpfs","source":"tmpfs","options":["tmpcopyup"]}'
	is kept "$(run_sh 'cat /data/link; echo lost >/data/dir/file')"
	is kept "$(cat "$bundle/rootfs/data/dir/file")"
	mounts='{"destination":"/data","type":"tmpfs","source":"tmpfs","options":["tmpcopyup","ro"]}'
	fails 'Read-only' run_sh 'touch /data/x'
}

read_only_tmpfs_can_hold_mounts() {
	mounts="{\"destination\":\"/run\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"ro\"]},
		{\"destination\":\"/run/secrets\",\"type\":\"bind\",\"source\":\"$T/src\",\"options\":[\"rbind\"]}"
	is one "$(run_sh 'cat /run/secrets/file')"
	fails 'Read-only' run_sh 'touch /run/x'
}

links_cannot_lead_out() {
	mkdir -p "$T/outside"
	ln -sfn "$T/outside" "$bundle/rootfs/evil"
	ln -sfn /../../../../../..$T/outside "$bundle/rootfs/evil2"
	for d in evil evil2; do
		mounts="{\"destination\":\"/$d/sub\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}" config
		args='"true"' mounts="{\"destination\":\"/$d/sub\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}" config
		oci run -b "$bundle" "$id"
		[ -z "$(ls -A "$T/outside")" ] || { echo "made outside: $(ls "$T/outside")"; return 1; }
		[ -d "$bundle/rootfs$T/outside/sub" ]
		rm -rf "$bundle/rootfs/tmp/"*
	done
	rm -f "$bundle/rootfs/evil" "$bundle/rootfs/evil2"
}

proc_must_be_a_directory() {
	rmdir "$bundle/rootfs/proc"
	mkdir -p "$bundle/rootfs/elsewhere"
	ln -s elsewhere "$bundle/rootfs/proc"
	config
	got=0
	fails 'must be mounted on ordinary directory' oci run -b "$bundle" "$id" || got=1
	rm "$bundle/rootfs/proc"
	mkdir "$bundle/rootfs/proc"
	return $got
}

paths_are_masked_and_read_only() {
	masked='"/proc/keys","/proc/irq","/tmp/file","/tmp/dir","/no/such"' readonly_paths='"/proc/sys","/tmp/ro","/no/such/path"'
	mkdir -p "$bundle/rootfs/tmp/dir" "$bundle/rootfs/tmp/ro"
	echo x >"$bundle/rootfs/tmp/file"
	echo x >"$bundle/rootfs/tmp/dir/file"
	is '0 0 0' "$(run_sh 'echo $(cat /proc/keys /tmp/file | wc -c) $(ls /tmp/dir | wc -l) $(ls /proc/irq | wc -l)')"
	fails 'Read-only' run_sh 'touch /tmp/ro/x'
	fails 'Read-only' run_sh 'touch /tmp/dir/x'
	fails '' run_sh 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	rm -r "$bundle/rootfs/tmp/"*
}

masks_do_not_trust_the_image() {
	# /dev of the image is a directory with a false null
	mkdir -p "$bundle/rootfs/dev"
	echo false >"$bundle/rootfs/dev/null"
	no_proc_mounts='{"destination":"/dev/shm","type":"tmpfs","source":"shm"}' masked='"/tmp/f"'
	echo secret >"$bundle/rootfs/tmp/f"
	is 'character special file' "$(run_sh 'stat -c %F /dev/null')"
	is '' "$(run_sh 'cat /tmp/f')"
	rm -rf "$bundle/rootfs/dev" "$bundle/rootfs/tmp/f"
	mkdir "$bundle/rootfs/dev"
}

devices_are_there() {
	for d in 'null 1:3' 'zero 1:5' 'full 1:7' 'random 1:8' 'urandom 1:9' 'tty 5:0'; do
		is "${d#* }" "$(run_sh "stat -c %t:%T /dev/${d% *}")"
	done
	is pts/ptmx "$(run_sh 'readlink /dev/ptmx')"
	is /proc/self/fd "$(run_sh 'readlink /dev/fd')"
	linux='"devices":[{"type":"c","path":"/dev/mine","major":1,"minor":3,"fileMode":384,"uid":5,"gid":6},{"type":"p","path":"/dev/pipe/one"}]'
	is '600 5 6' "$(run_sh 'stat -c "%a %u %g" /dev/mine')"
	is fifo "$(run_sh 'stat -c %F /dev/pipe/one')"
}

# With a user namespace, in which nobody can make them, of which the host has none of that name, or another.
user_namespace() {
	[ -e /proc/self/ns/user ] || skip 'this kernel has no user namespaces'
	chmod 755 "$T"
	namespaces='{"type":"user"},{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}'
	maps='"uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":200000,"size":65536}]'
	resources='"devices":[{"allow":true,"access":"rwm"}]'
}

devices_are_there_in_a_user_namespace() {
	user_namespace
	linux=$maps',"devices":[{"type":"c","path":"/dev/mine","major":1,"minor":5,"fileMode":384,"uid":5,"gid":6},
		{"type":"c","path":"/dev/full","major":1,"minor":3},{"type":"c","path":"/dev/a/zero","major":1,"minor":5,"uid":0,"gid":0},
		{"type":"c","path":"/dev/random","major":1,"minor":8},{"type":"p","path":"/dev/pipe/one"}]'
	out=$(run_sh 'stat -c "%a %u %g %t:%T" /dev/mine /dev/full /dev/a/zero; stat -c %F /dev/pipe/one; stat -c %t:%T /dev/null
		head -c 3 /dev/a/zero | wc -c; echo x >/dev/full && echo written; cut -d" " -f5 /proc/self/mountinfo | grep -c /oci/ || :')
	is '600 5 6 1:5
666 0 0 1:3
666 0 0 1:5
fifo
1:3
3
written
0' "$out"
	is '' "$(our_mounts)"
	# An owner whom the host does not know of: the node is there, and is nobody's.
	linux=$maps',"devices":[{"type":"c","path":"/dev/mine","major":1,"minor":5,"uid":70000,"gid":6}]'
	is '65534 6 1:5' "$(run_sh 'stat -c "%u %g %t:%T" /dev/mine')"
	nothing_of "$id"
}

# Who makes them joins what the first process is to be in.
devices_are_there_in_joined_namespaces() {
	user_namespace
	needs_joins
	linux=$maps start_sleeper
	pid=$(pid_of "$id")
	first=$id id=${id}b got=0
	device='"devices":[{"type":"c","path":"/dev/mine","major":1,"minor":5}]'
	namespaces="{\"type\":\"user\",\"path\":\"/proc/$pid/ns/user\"},{\"type\":\"pid\",\"path\":\"/proc/$pid/ns/pid\"},{\"type\":\"mount\"},
		{\"type\":\"network\",\"path\":\"/proc/$pid/ns/net\"},{\"type\":\"uts\"},{\"type\":\"ipc\"}"
	out=$(linux=$device run_sh 'stat -c %t:%T /dev/mine; head -c 3 /dev/mine | wc -c; cat /proc/1/cmdline') || got=1
	oci delete -f "$first"
	is '1:5
3
sleep1000' "$(echo "$out" | tr -d '\0')" || got=1
	# The pid namespace is one of another user namespace: /proc is the host's to give, so it is bound.
	id=$first
	start_sleeper_without_maps
	pid=$(pid_of "$id")
	id=${id}b
	namespaces="{\"type\":\"user\"},{\"type\":\"pid\",\"path\":\"/proc/$pid/ns/pid\"},{\"type\":\"mount\"},{\"type\":\"network\"},{\"type\":\"uts\"},
		{\"type\":\"ipc\"}"
	linux=$maps,$device args='"sleep", "1000"' config
	sed -i 's|{"destination": "/proc", "type": "proc", "source": "proc"}|{"destination":"/proc","type":"bind","source":"/proc","options":["rbind"]}|' \
		"$bundle/config.json"
	oci run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1 || got=1
	pid=$(pid_of "$id")
	is 1:5 "$(stat -c %t:%T "/proc/$pid/root/dev/mine")" || got=1
	is sleep "$(cat "/proc/$pid/comm")" || got=1
	oci delete -f "$id"
	oci delete -f "$first"
	nothing_of "$id" || got=1
	return $got
}

start_sleeper_without_maps() {
	linux='"rootfsPropagation":"rprivate"' namespaces=$default_namespaces start_sleeper
}

# Then there are the host's.
devices_are_the_hosts_where_none_can_be_made() {
	user_namespace
	needs_setpriv
	without_mknod() {
		args=$(sh_args "$1") config
		setpriv --bounding-set -mknod "$POUCH_BUILD/pouch-oci" --root "$oci_root" run -b "$bundle" "$id"
	}
	linux=$maps',"devices":[{"type":"c","path":"/dev/random","major":1,"minor":8,"uid":5,"gid":6}]'
	is '1:8 65534' "$(without_mknod 'stat -c "%t:%T %u" /dev/random')"
	linux=$maps',"devices":[{"type":"c","path":"/dev/mine","major":1,"minor":5}]'
	fails "device '/dev/mine': in a user namespace that is the host's, which has no character device 1:5 there" without_mknod true
	linux=$maps',"devices":[{"type":"c","path":"/dev/full","major":1,"minor":3}]'
	fails "device '/dev/full'" without_mknod true
	nothing_of "$id"
}

devices_are_denied() {
	[ -n "$(cgroup_mount devices)" ] || skip 'this host has no v1 devices controller'
	caps='"CAP_MKNOD"'
	fails 'not permitted' run_sh 'mknod /dev/mem2 c 1 1 && cat /dev/mem2'
	run_sh 'mknod /dev/null2 c 1 3 && cat /dev/null2'
}

works_without_pivot_root() {
	args=$(sh_args 'ls /; cat /proc/self/mountinfo') config
	out=$(oci run --no-pivot -b "$bundle" "$id")
	has bin "$out"
	hasnt "$T/src" "$out"
}

cgroups_are_shown() {
	mounts='{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
		{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid","noexec","nodev","relatime","ro"]}'
	[ -n "$(cgroup_mount memory)" ] || skip 'the memory controller is not v1 here'
	is 1 "$(run_sh 'cat /sys/fs/cgroup/memory/cgroup.procs' | head -n 1)"
	fails 'Read-only' run_sh 'mkdir /sys/fs/cgroup/memory/x'
	namespaces='{"type":"pid"},{"type":"mount"},{"type":"uts"}'
	is 1 "$(run_sh 'cat /sys/fs/cgroup/memory/cgroup.procs' | head -n 1)"
}

binds_of_no_files_are_not_opened() {
	needs socat
	mkfifo "$T/fifo"
	mknod "$T/device" c 240 99
	socat UNIX-LISTEN:"$T/socket",fork EXEC:'echo served' &
	server=$!
	eventually 5 test -S "$T/socket"
	mounts="{\"destination\":\"/fifo\",\"type\":\"bind\",\"source\":\"$T/fifo\",\"options\":[\"rbind\",\"ro\",\"rslave\"]},
		{\"destination\":\"/device\",\"type\":\"bind\",\"source\":\"$T/device\",\"options\":[\"bind\",\"nosuid\"]},
		{\"destination\":\"/tmp/socket\",\"type\":\"bind\",\"source\":\"$T/socket\",\"options\":[\"rbind\"]}"
	got=0
	is 'fifo character special file socket' "$(run_sh 'echo $(stat -c %F /fifo /device /tmp/socket)')" || got=1
	kill $server
	rm -f "$T/fifo" "$T/device" "$T/socket"
	return $got
}

made_directories_ignore_the_umask() {
	rm -rf "$bundle/rootfs/umask"
	mounts='{"destination":"/umask/dir","type":"tmpfs","source":"tmpfs"}'
	(umask 077; run_sh true)
	is '755 755' "$(stat -c %a "$bundle/rootfs/umask" "$bundle/rootfs/umask/dir" | tr '\n' ' ' | sed 's/ $//')"
}

propagation_is_as_asked() {
	mkdir -p "$T/shared"
	mount -t tmpfs s "$T/shared"
	mount --make-shared "$T/shared"
	# busybox asks 2.6.32 in words that make it private.
	grep -q " $T/shared .* shared:" /proc/self/mountinfo || { umount "$T/shared"; skip 'mount(8) cannot share a mount here'; }
	got=0
	mounts="{\"destination\":\"/s\",\"type\":\"bind\",\"source\":\"$T/shared\",\"options\":[\"rbind\",\"rslave\"]}"
	has master: "$(options_of /s)" || got=1
	mounts="{\"destination\":\"/s\",\"type\":\"bind\",\"source\":\"$T/shared\",\"options\":[\"rbind\",\"rprivate\"]}"
	hasnt master: "$(options_of /s)" || got=1
	linux='"rootfsPropagation":"rshared"'
	mounts="{\"destination\":\"/s\",\"type\":\"bind\",\"source\":\"$T/shared\",\"options\":[\"rbind\",\"rshared\"]}"
	has shared: "$(options_of /s)" || got=1
	unset mounts
	linux='"rootfsPropagation":"unbindable"'
	is unbindable "$(run_sh "awk '\$5 == \"/\" { print \$7 }' /proc/self/mountinfo")" || got=1
	umount "$T/shared"
	return $got
}

nothing_is_seen_outside() {
	start_sleeper
	is '' "$(our_mounts)"
	remove "$id"
}

idmapped_mounts_are_refused() {
	mounts="{\"destination\":\"/m\",\"type\":\"bind\",\"source\":\"$T/src\",\"options\":[\"rbind\",\"idmap\"]}" config
	fails 'id-mapped mounts are not supported' oci run -b "$bundle" "$id"
}

labels_need_selinux() {
	linux='"mountLabel":"system_u:object_r:x:s0"' config
	oci run -b "$bundle" "$id"
}

it 'makes the root read-only' root_can_be_read_only
it 'gives binds their options' binds_take_their_options
it 'makes submounts read-only with rro' recursive_read_only_covers_submounts
it 'passes data to tmpfs' tmpfs_takes_its_data
it 'copies up into a tmpfs' tmpfs_copies_up
it 'mounts below a read-only tmpfs' read_only_tmpfs_can_hold_mounts
it 'keeps mount points inside the root' links_cannot_lead_out
it 'refuses a proc that is a link' proc_must_be_a_directory
it 'masks paths and makes them read-only' paths_are_masked_and_read_only
it 'masks with the real null device' masks_do_not_trust_the_image
it 'makes devices' devices_are_there
it 'makes devices for a user namespace' devices_are_there_in_a_user_namespace
it 'makes devices for namespaces that are joined' devices_are_there_in_joined_namespaces
it 'takes the host'"'"'s devices for a user namespace where it may make none' devices_are_the_hosts_where_none_can_be_made
it 'denies devices that are not listed' devices_are_denied
it 'works without pivot_root' works_without_pivot_root
it 'binds what is neither file nor directory' binds_of_no_files_are_not_opened
it 'shows the control groups' cgroups_are_shown
it 'makes directories whatever the umask is' made_directories_ignore_the_umask
it 'sets propagation' propagation_is_as_asked
it 'shows no mount on the host' nothing_is_seen_outside
it 'refuses id-mapped mounts' idmapped_mounts_are_refused
it 'ignores a mount label without SELinux' labels_need_selinux
