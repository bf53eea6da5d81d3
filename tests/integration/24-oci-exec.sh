#!/bin/sh
# pouch-oci: exec, and changes to a running container
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle
caps='"CAP_KILL","CAP_CHOWN"'
[ ! -e /proc/sys/kernel/shm_rmid_forced ] || linux='"sysctl":{"kernel.shm_rmid_forced":"1"}'
start_sleeper

exec_is_inside() {
	is 'pouch' "$(oci exec "$id" hostname)"
	has 'sleep 1000' "$(oci exec "$id" ps)"
	pid=$(pid_of "$id")
	for ns in pid net ipc uts mnt cgroup; do
		[ -e /proc/self/ns/$ns ] || continue
		is "$(stat -Lc %i "/proc/$pid/ns/$ns")" "$(oci exec "$id" stat -Lc %i /proc/self/ns/$ns)"
	done
}

exec_is_in_the_cgroup() {
	oci exec -d --pid-file "$T/exec.pid" "$id" sleep 777 </dev/null >/dev/null
	has "$id" "$(cat "/proc/$(cat "$T/exec.pid")/cgroup")"
	kill -9 "$(cat "$T/exec.pid")"
}

exec_goes_below() {
	freezer=$(cgroup_mount freezer)
	[ -n "$freezer" ] || skip 'no freezer of cgroup v1 here'
	mkdir "$freezer/$cgroup_parent/$id/sub-cold"
	groups=$(oci exec --cgroup freezer:sub-cold "$id" cat /proc/self/cgroup)
	has freezer "$(echo "$groups" | grep /sub-cold)"
	is '' "$(echo "$groups" | grep -v freezer | grep /sub-cold)"
	is '' "$(oci exec --cgroup / "$id" cat /proc/self/cgroup | grep /sub-cold)"
	fails "/sub-cold'" oci exec --cgroup sub-cold "$id" true
	fails 'nope' oci exec --cgroup freezer:nope "$id" true
	fails "unknown controller 'nope'" oci exec --cgroup nope:/ "$id" true
	fails 'two groups' oci exec --cgroup freezer:/ --cgroup freezer:sub-cold "$id" true
	fails "invalid cgroup path '..'" oci exec --cgroup freezer:.. "$id" true
	rmdir "$freezer/$cgroup_parent/$id/sub-cold"
}

exec_gives_the_exit_code() {
	exits 9 oci exec "$id" sh -c 'exit 9'
	exits 143 oci exec "$id" sh -c 'kill -TERM $$'
	has "left out" "$(oci exec --cap CAP_NOPE "$id" true 2>&1)"
	exits 255 oci exec "$id" nope
	exits 255 oci exec "$id" /etc/passwd
	exits 255 oci exec "$id"
}

exec_takes_options() {
	is '5 6 6 7' "$(oci exec -u 5:6 -g 7 "$id" sh -c 'echo $(id -u) $(id -g) $(id -G)')"
	is 'b /tmp' "$(oci exec -e A=b --cwd /tmp "$id" sh -c 'echo $A $(pwd)')"
	is /x "$(oci exec -e PATH=/bin:/x -e A=1 "$id" sh -c 'echo ${PATH#*:}')"
	has 'CapEff:	0000000000000021' "$(known_caps "$(oci exec "$id" grep CapEff /proc/self/status)")"
	if has_agent "$id"; then
		fails 'CAP_NET_RAW' oci exec --cap CAP_NET_RAW "$id" true
	else
		has 'CapEff:	0000000000002021' "$(known_caps "$(oci exec --cap CAP_NET_RAW "$id" grep CapEff /proc/self/status)")"
	fi
	if grep -q ^NoNewPrivs: /proc/self/status; then
		has 1 "$(oci exec --no-new-privs "$id" grep NoNewPrivs /proc/self/status)"
	else
		# 2.6.32 has it not, CentOS 6's kernel does not show it.
		got=$(oci exec --no-new-privs "$id" echo in 2>&1) || :
		[ "$got" = in ] || has 'no_new_privs: not available here' "$got"
	fi
	fails 'is not UID' oci exec -u root "$id" true
	fails '/no/dir' oci exec --cwd /no/dir "$id" true
	is in "$(echo in | oci exec "$id" cat)"
}

exec_takes_a_process_file() {
	cat >"$T/process.json" <<-END
	{"user":{"uid":3,"gid":4},"args":["id","-u"],"env":["PATH=/bin"],"cwd":"/tmp"}
	END
	is 3 "$(oci exec -p "$T/process.json" "$id")"
	echo '{"args":["id"]}' >"$T/process.json"
	fails 'cwd' oci exec -p "$T/process.json" "$id"
}

exec_is_logged() {
	oci --log "$T/debug" --debug exec "$id" true
	has 'true' "$(grep debug "$T/debug")"
	is '' "$(oci exec "$id" true 2>&1)"
}

exec_detaches() {
	oci exec -d --pid-file "$T/exec.pid" "$id" sleep 555 </dev/null >/dev/null
	process_lives "$(cat "$T/exec.pid")"
	kill -9 "$(cat "$T/exec.pid")"
}

exec_leaks_nothing() {
	is '0 1 2 3' "$(echo $(oci exec "$id" ls /proc/self/fd 7</ 8</etc/passwd))"
	for fd in 3 4 5 6 7 8 9; do
		out=$(oci exec --cwd /proc/self/fd/$fd "$id" pwd 9</ 2>&1) && { echo "fd $fd: $out"; return 1; }
	done
	:
}

exec_needs_a_running_container() {
	fails 'does not exist' oci exec nothing true
	oci pause "$id"
	fails 'paused' oci exec "$id" true
	oci resume "$id"
}

update_changes_limits() {
	memory=$(cgroup_mount memory) cpu=$(cgroup_mount cpu)
	[ -n "$memory" ] || skip 'the memory controller is not v1 here'
	if [ -n "$(cgroup_mount pids)" ]; then
		oci update --memory 64m --pids-limit 100 --cpu-share 512 "$id"
	else
		fails 'which needs a keeper' oci update --pids-limit 100 "$id"
		oci update --memory 64m --cpu-share 512 "$id"
	fi
	group=/$cgroup_parent/$id
	is 67108864 "$(cat "$memory$group/memory.limit_in_bytes")"
	is 512 "$(cat "$cpu$group/cpu.shares")"
	echo '{"memory":{"limit":33554432}}' | oci update -r - "$id"
	is 33554432 "$(cat "$memory$group/memory.limit_in_bytes")"
	oci update --memory -1 "$id"
	fails 'is not a size' oci update --memory lots "$id"
	fails 'not supported' oci update --l3-cache-schema x "$id"
}

events_count() {
	has '"type":"stats"' "$(oci events --stats "$id")"
	has '"pids":{"current":' "$(oci events --stats "$id")"
	timeout 3 "$POUCH_BUILD/pouch-oci" --root "$oci_root" events --interval 300ms "$id" >"$T/events" || :
	[ "$(wc -l <"$T/events")" -ge 3 ]
	fails 'is not a duration' oci events --interval x "$id"
}

kill_all_kills_all() {
	oci exec -d "$id" sleep 444 </dev/null >/dev/null
	oci kill --all "$id" KILL
	eventually 5 status_is "$id" stopped
	eventually 5 no_processes
	fails 'stopped' oci exec "$id" true
	oci delete "$id"
	nothing_of "$id"
}

no_processes() {
	is null "$(oci ps -f json "$id")"
}

user_namespace_exec() {
	[ -e /proc/self/ns/user ] || skip 'this kernel has no user namespaces'
	namespaces='{"type":"user"},{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}'
	linux='"uidMappings":[{"containerID":0,"hostID":100000,"size":1000}],"gidMappings":[{"containerID":0,"hostID":100000,"size":1000}]'
	id=${id}u start_sleeper
	id=${id}u
	is '0 100000' "$(oci exec "$id" awk '{print $1, $2}' /proc/self/uid_map)"
	exits 3 oci exec -u 10 "$id" sh -c 'exit 3'
	remove "$id"
}

it 'starts processes inside' exec_is_inside
it 'starts them in the control group' exec_is_in_the_cgroup
it 'starts them in groups below' exec_goes_below
it 'gives the exit code of exec' exec_gives_the_exit_code
it 'takes options of exec' exec_takes_options
it 'takes a process file' exec_takes_a_process_file
it 'logs what is done with --debug' exec_is_logged
it 'detaches' exec_detaches
it 'leaks nothing to exec' exec_leaks_nothing
it 'refuses exec in what does not run' exec_needs_a_running_container
it 'updates limits' update_changes_limits
it 'prints statistics' events_count
it 'kills all' kill_all_kills_all
it 'starts processes in a user namespace' user_namespace_exec

checkpoint_needs_criu() {
	start_sleeper
	fails 'is not installed' oci --criu "$T/no-criu" checkpoint --image-path "$T/image" "$id"
	status_is "$id" running
	fails 'is none of soft' oci checkpoint --manage-cgroups-mode odd "$id"
	fails 'not supported' oci checkpoint --empty-ns network "$id"
	remove "$id"
	fails 'is not installed' oci --criu "$T/no-criu" restore --image-path "$T/image" -b "$bundle" "$id"
	nothing_of "$id"
}

# The kernel's idea of a mount namespace's root is not what a chroot shows: neither container nor exec may see what is above.
exec_stays_inside_of_a_container_made_in_a_chroot() {
	unshare -m true 2>/dev/null || skip 'no private mount namespace'
	! ldd "$POUCH_BUILD/pouch-oci" 2>&1 | grep -q libasan || skip 'the sanitizers need more than the chroot has'
	args='"sleep", "1000"' config
	jail=$T/jail
	mkdir -p "$jail$T" "$jail/proc" "$jail/sys" "$jail/dev" "$jail/tmp" "$jail/bin"
	cp /bin/busybox "$jail/bin/"
	for applet in mkdir grep cat; do
		ln -s busybox "$jail/bin/$applet"
	done
	touch "$jail/this-is-the-jail"
	cp "$POUCH_BUILD/pouch-oci" "$jail/bin/"
	ldd "$POUCH_BUILD/pouch-oci" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' | while read -r library; do
		mkdir -p "$jail$(dirname "$library")"
		cp "$library" "$jail$library"
	done
	cp -a "$bundle" "$jail$bundle"
	# Old kernels show the first root of all to everybody, who cannot get there: no more roots than the jail sees, then.
	cat >"$jail/try" <<-END
		set -e
		mkdir -p $T
		grep ' / ' /proc/mounts | grep -vc '^rootfs / rootfs ' >/jail-roots
		pouch-oci --root $oci_root run -d -b $bundle $id </dev/null >/dev/null
		pouch-oci --root $oci_root exec $id ls / || echo "exec failed"
		pouch-oci --root $oci_root exec $id sh -c 'ls -d /proc/1/root/this-is-the-jail /this-is-the-jail $T' 2>&1 || :
		pouch-oci --root $oci_root exec $id grep ' / ' /proc/mounts >/root-mounts
		grep -v '^rootfs / rootfs ' /root-mounts || :
		echo roots: \$(cat /jail-roots) \$(grep -vc '^rootfs / rootfs ' /root-mounts)
		pouch-oci --root $oci_root delete -f $id
	END
	# Control groups have their place elsewhere on old hosts.
	groups=$(awk '$3 ~ /^cgroup/ && $2 !~ "^/sys/" { print $2 }' /proc/self/mounts)
	got=$(unshare -m sh -ec "mount --bind '$jail' '$jail'; cd '$jail'; mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev
		for group in $(echo $groups); do mkdir -p .\$group; mount --bind \$group .\$group; done
		exec chroot . busybox env PATH=/bin busybox sh /try" 2>&1) || echo "exit code $?"
	rm -rf "$jail"
	echo "$got"
	has etc "$got"
	hasnt 'exec failed' "$got"
	has "ls: $T: No such file or directory" "$got"
	# shellcheck disable=SC2046 # three words
	set -- $(echo "$got" | tail -n 1)
	is 'roots: yes' "$1 $([ "$3" -ge 1 ] && [ "$3" -le "$2" ] && echo yes)"
}

exec_enters_the_root_where_there_is_no_mount_namespace() {
	# Nothing may be mounted then, and nothing masked.
	cat >"$bundle/config.json" <<-END
		{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {"args": ["sleep", "1000"], "env": ["PATH=/bin"], "cwd": "/",
		"user": {"uid": 0, "gid": 0}}, "linux": {"cgroupsPath": "/$cgroup_parent/$id", "namespaces": [{"type": "pid"}]}}
	END
	oci run -d -b "$bundle" "$id" </dev/null >/dev/null
	touch "$bundle/rootfs/inside"
	is /inside "$(oci exec "$id" ls /inside)"
	rm "$bundle/rootfs/inside"
	remove "$id"
	nothing_of "$id"
}

it 'keeps exec inside of a container that was made in a chroot' exec_stays_inside_of_a_container_made_in_a_chroot
it 'enters the root of a container without a mount namespace' exec_enters_the_root_where_there_is_no_mount_namespace

checkpoint_and_restore() {
	needs criu
	criu check >/dev/null 2>&1 || skip 'criu does not work on this kernel'
	start_sleeper
	oci checkpoint --image-path "$T/image" "$id"
	fails 'does not exist' oci state "$id"
	oci restore -d --image-path "$T/image" -b "$bundle" "$id" </dev/null >/dev/null
	status_is "$id" running
	remove "$id"
	nothing_of "$id"
}

a_failed_checkpoint_changes_nothing() {
	cat >"$T/criu" <<-'END'
	#!/bin/sh
	[ "$1" != --version ] || exit 0
	while [ $# -gt 0 ]; do
		[ "$1" != --work-dir ] || work=$2
		[ "$1" != --log-file ] || log=$2
		shift
	done
	echo 'Error (criu/x.c:1): it does not go' >"$work/$log"
	exit 1
	END
	chmod 755 "$T/criu"
	start_sleeper
	fails 'criu dump: Error (criu/x.c:1): it does not go' oci --criu "$T/criu" checkpoint --image-path "$T/image" "$id"
	status_is "$id" running
	remove "$id"
	fails 'criu restore: Error (criu/x.c:1): it does not go' oci --criu "$T/criu" restore --work-path "$T/image" --image-path "$T/image" \
		-b "$bundle" "$id"
	nothing_of "$id"
}

it 'refuses checkpoint and restore without criu' checkpoint_needs_criu
it 'checkpoints and restores' checkpoint_and_restore
it 'changes nothing when criu fails' a_failed_checkpoint_changes_nothing
