#!/bin/sh
# pouch-oci: the life of a container, and what the commands print
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle

run_gives_the_exit_code() {
	args='"true"' config
	exits 0 oci run -b "$bundle" "$id"
	args=$(sh_args 'exit 42') config
	exits 42 oci run -b "$bundle" "$id"
	args=$(sh_args 'kill -9 $$; sleep 5') namespaces='{"type":"mount"},{"type":"uts"}' config
	exits 137 oci run -b "$bundle" "$id"
	nothing_of "$id"
}

states_follow_one_another() {
	args='"sleep", "1000"' config
	oci create -b "$bundle" --pid-file "$T/pid" "$id" </dev/null >/dev/null
	status_is "$id" created
	is "$(cat "$T/pid")" "$(pid_of "$id")"
	fails 'container with id exists' oci create -b "$bundle" "$id"
	oci start "$id"
	status_is "$id" running
	fails 'cannot start a container in the running state' oci start "$id"
	fails 'that is not stopped' oci delete "$id"
	oci pause "$id"
	status_is "$id" paused
	fails 'is not running' oci pause "$id"
	oci resume "$id"
	status_is "$id" running
	fails 'is not paused' oci resume "$id"
	oci kill "$id" KILL
	eventually 5 status_is "$id" stopped
	is 0 "$(pid_of "$id")"
	fails 'container not running' oci kill "$id" KILL
	oci delete "$id"
	fails 'does not exist' oci state "$id"
	nothing_of "$id"
}

# What was read at create holds: the program did not run before, and config.json may be another's by then.
later_changes_change_nothing() {
	args=$(sh_args 'echo first >/tmp/ran') config
	oci create -b "$bundle" "$id" </dev/null >/dev/null
	[ ! -e "$bundle/rootfs/tmp/ran" ]
	args=$(sh_args 'echo second >/tmp/ran') hostname=other config
	oci start "$id"
	eventually 5 status_is "$id" stopped
	is first "$(cat "$bundle/rootfs/tmp/ran")"
	rm "$bundle/rootfs/tmp/ran" "$bundle/config.json"
	oci delete "$id"
	nothing_of "$id"
}

created_is_deleted_without_force() {
	config
	oci create -b "$bundle" "$id" </dev/null >/dev/null
	oci delete "$id"
	nothing_of "$id"
}

start_says_what_exec_says() {
	printf '\0nonsense' >"$bundle/rootfs/bin/garbage"
	chmod 755 "$bundle/rootfs/bin/garbage"
	args='"garbage"' config
	oci create -b "$bundle" "$id" </dev/null >/dev/null
	fails 'Exec format error' oci start "$id"
	oci delete -f "$id"
	fails 'Exec format error' oci run -b "$bundle" "$id"
	nothing_of "$id"
}

missing_programs_are_named() {
	args='"nope"' config
	fails 'exec: "nope": executable file not found in $PATH' oci run -b "$bundle" "$id"
	args='"/nope"' config
	fails 'exec: "/nope": stat /nope: no such file or directory' oci run -b "$bundle" "$id"
	args='"/etc/passwd"' config
	fails 'permission denied' oci run -b "$bundle" "$id"
	nothing_of "$id"
}

a_failed_create_leaves_nothing() {
	mounts='{"destination":"/x","type":"tmpfs","source":"x","options":["nonsense=1"]}' config
	fails "mounts: mount '/x' (tmpfs): Invalid argument" oci create -b "$bundle" "$id"
	nothing_of "$id"
	mounts='{"destination":"/x","type":"bind","source":"/does/not/exist","options":["rbind"]}' config
	fails "/does/not/exist" oci create -b "$bundle" "$id"
	nothing_of "$id"
	resources='"memory":{"limit":1}' config
	oci create -b "$bundle" "$id" </dev/null >/dev/null 2>&1 && oci delete -f "$id"
	nothing_of "$id"
	process='"rlimits":[{"type":"RLIMIT_NOPE","soft":1,"hard":1}]' config
	fails "RLIMIT_NOPE" oci create -b "$bundle" "$id"
	nothing_of "$id"
	[ ! -e "$T/pid2" ]
	mounts='{"destination":"/x","type":"tmpfs","source":"x","options":["nonsense=1"]}' config
	fails '' oci create --pid-file "$T/pid2" -b "$bundle" "$id"
	[ ! -e "$T/pid2" ]
}

bad_input_is_refused() {
	fails 'is not a container id' oci run -b "$bundle" ../x
	fails 'is not a container id' oci state ../x
	fails 'open bundle' oci run -b "$T/nowhere" "$id"
	mkdir -p "$T/empty"
	fails 'config.json' oci run -b "$T/empty" "$id"
	echo '{' >"$T/empty/config.json"
	fails 'config.json' oci run -b "$T/empty" "$id"
	echo '{"ociVersion":"1.0.0"}' >"$T/empty/config.json"
	fails 'root' oci run -b "$T/empty" "$id"
	fails 'unknown command' oci frobnicate
	fails '--frobnicate' oci run --frobnicate "$id"
	fails 'unknown log-format' oci --log-format xml list
	fails '--systemd-cgroup' oci --systemd-cgroup list
	fails 'usage' oci start
}

the_log_is_json() {
	config
	fails 'does not exist' oci --log "$T/log" --log-format json state nothing
	has '"level":"error","msg":"container \"nothing\" does not exist"' "$(cat "$T/log")"
	fails 'does not exist' oci --log "$T/log2" state nothing
	has 'level=error msg="container' "$(cat "$T/log2")"
}

what_is_done_is_logged() {
	config
	oci --log "$T/debug" --log-format json --debug run -b "$bundle" "$id"
	has '"level":"debug"' "$(cat "$T/debug")"
	says 'debug: container' oci --debug run -b "$bundle" "$id"
	is '' "$(oci run -b "$bundle" "$id" 2>&1)"
}

options_of_crun_are_taken() {
	args='"echo", "other"' config
	mkdir -p "$bundle/sub"
	mv "$bundle/config.json" "$bundle/sub/other.json"
	is other "$(oci --cgroup-manager cgroupfs run --config sub/other.json -b "$bundle" "$id")"
	is other "$(oci run --config "$bundle/sub/other.json" -b "$bundle" "$id")"
	fails 'config.json' oci run -b "$bundle" "$id"
	fails '--systemd-cgroup' oci --cgroup-manager systemd list
	fails 'neither cgroupfs nor systemd' oci --cgroup-manager nope list
}

groups_in_use_are_a_warning() {
	start_sleeper
	cp "$bundle/config.json" "$T/same.json"
	mkdir -p "$T/second"
	[ -e "$T/second/rootfs" ] || ln -s "$bundle/rootfs" "$T/second/rootfs"
	sed 's/"sleep", "1000"/"true"/' "$T/same.json" >"$T/second/config.json"
	says "container's cgroup is not empty" oci run -b "$T/second" "$id-2" || { remove "$id"; return 1; }
	remove "$id"
}

frozen_groups_are_refused() {
	freezer=$(cgroup_mount freezer)
	[ -n "$freezer" ] || skip 'no freezer of version 1 is mounted'
	config
	mkdir -p "$freezer/$cgroup_parent/$id"
	echo FROZEN >"$freezer/$cgroup_parent/$id/freezer.state"
	got=0
	fails "container's cgroup unexpectedly frozen" oci run -b "$bundle" "$id" || got=1
	echo THAWED >"$freezer/$cgroup_parent/$id/freezer.state"
	rmdir "$freezer/$cgroup_parent/$id" || got=1
	nothing_of "$id" || got=1
	return $got
}

# into GROUP PID: a process of one thread, on any kernel
into() {
	echo "$2" 2>/dev/null >"$1/cgroup.procs" || echo "$2" >"$1/tasks"
}

# freezes GROUP: asked again, as before 2.6.37 a group that was looked at before its tasks stood still is THAWED for ever
freezes() {
	echo FROZEN >"$1/freezer.state"
	grep -q FROZEN "$1/freezer.state"
}

# foreign_frozen_group: $foreign is a group of the freezer that is not the container's; skips where the kernel lets nobody out of one
foreign_frozen_group() {
	freezer=$(cgroup_mount freezer)
	[ -n "$freezer" ] || skip 'no freezer of version 1 is mounted'
	foreign=$freezer/$cgroup_parent/foreign-$$
	mkdir -p "$foreign"
	sleep 1000 &
	probe=$!
	into "$foreign" $probe
	eventually 5 freezes "$foreign"
	out=yes
	into "$freezer" $probe 2>/dev/null || out=no
	echo THAWED >"$foreign/freezer.state"
	kill $probe
	wait $probe || :
	[ $out = yes ] && return
	rmdir "$foreign"
	skip 'this kernel lets nobody out of a frozen group'
}

# Thawed whatever happened, or what is in there is never rid of.
foreign_is_left_empty() {
	is '' "$(cat "$foreign/tasks")" || got=1
	echo THAWED >"$foreign/freezer.state"
	eventually 5 rmdir "$foreign" || got=1
	nothing_of "$id" || got=1
	[ $got = 0 ] || oci delete --force "$id" || :
	return $got
}

foreign_freezers_hold_nobody() {
	foreign_frozen_group
	start_sleeper
	got=0
	into "$foreign" "$(pid_of "$id")"
	echo FROZEN >"$foreign/freezer.state"
	oci delete --force "$id" || got=1
	foreign_is_left_empty
}

# Others than the program's may be there: the agent of old kernels.
has_a_child() {
	for child in $(oci ps -f json "$id" | tr ',[]' '   '); do
		[ "$(tr '\0' ' ' <"/proc/$child/cmdline")" != 'sleep 1000 ' ] || return 0
	done
	return 1
}

# Its first process ends by itself, but cannot be gone before all others are; without a pid namespace it can, and the group remains.
foreign_freezers_hold_no_child() {
	foreign_frozen_group
	for without in '' '{"type":"pid"},'; do
		namespaces=$(echo "$default_namespaces" | sed "s/^$without//") args=$(sh_args 'sleep 1000 & wait') config
		oci run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1
		eventually 5 has_a_child || { remove "$id"; return 1; }
		got=0
		into "$foreign" "$child"
		echo FROZEN >"$foreign/freezer.state"
		oci delete --force "$id" || got=1
		is '' "$(cat "$foreign/tasks")" || got=1
		echo THAWED >"$foreign/freezer.state"
		[ $got = 0 ] || break
		process_ends "$child" 5
	done
	foreign_is_left_empty
}

signal_0_only_asks() {
	start_sleeper
	oci kill "$id" 0
	status_is "$id" running
	oci kill "$id" KILL
	eventually 5 status_is "$id" stopped
	fails 'container not running' oci kill "$id" 0
	oci kill -a "$id" 0
	oci delete "$id"
}

list_and_state_print_as_runc() {
	is null "$(oci list -f json)"
	start_sleeper
	says "$id" oci list
	is "$id" "$(oci list -q)"
	has "\"id\":\"$id\"" "$(oci list -f json)"
	has '"status":"running"' "$(oci list -f json)"
	has '"org.test": "yes"' "$(oci state "$id")"
	has "\"bundle\": \"$bundle\"" "$(oci state "$id")"
	has "$(pid_of "$id")" "$(oci ps -f json "$id")"
	fails 'neither table nor json' oci list -f yaml
	remove "$id"
}

spec_runs() {
	mkdir -p "$T/spec"
	oci spec -b "$T/spec"
	# As runc's: with version 1 without a namespace of control groups, so that who adds one gets no second.
	[ -z "$(cgroup_mount memory)" ] || hasnt '"type": "cgroup"
' "$(sed -n '/"namespaces"/,/]/p' "$T/spec/config.json")"
	fails 'exists' oci spec -b "$T/spec"
	ln -s "$bundle/rootfs" "$T/spec/rootfs"
	sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"true"/' "$T/spec/config.json"
	oci run -b "$T/spec" "$id"
	nothing_of "$id"
}

features_tell() {
	has '"ociVersionMax": "1.1.0"' "$(oci features)"
	has '"tmpcopyup"' "$(oci features)"
	has '"CAP_SYS_ADMIN"' "$(oci features)"
}

streams_are_kept_apart() {
	args=$(sh_args 'echo out; echo err >&2; cat') config
	is 'out
in' "$(echo in | oci run -b "$bundle" "$id" 2>"$T/err")"
	is err "$(cat "$T/err")"
}

signals_reach_the_container() {
	args=$(sh_args 'trap "exit 7" TERM; while :; do sleep 0.1; done') config
	"$POUCH_BUILD/pouch-oci" --root "$oci_root" run -b "$bundle" "$id" </dev/null &
	runner=$!
	eventually 5 status_is "$id" running
	sleep 0.3
	kill -TERM $runner
	exits 7 wait $runner
	nothing_of "$id"
}

keep_keeps() {
	config
	oci run --keep -b "$bundle" "$id"
	status_is "$id" stopped
	oci delete "$id"
}

delete_force_of_nothing_is_fine() {
	oci delete --force nothing-here
	fails 'does not exist' oci delete nothing-here
}

# What containerd's shim does after a create that failed. (Its log may say that it "failed to remove" the container all the same, with
# every runtime: it waits for the call in two places, and one of them comes too late.)
a_failed_create_may_be_deleted() {
	args='"nope"' config
	fails 'executable file not found' oci --log "$T/log" --log-format json create -b "$bundle" --pid-file "$T/pid-file" "$id" </dev/null
	[ ! -e "$T/pid-file" ]
	: >"$T/log"
	is '' "$(oci --log "$T/log" --log-format json delete --force "$id" 2>&1)"
	is '' "$(cat "$T/log")"
	nothing_of "$id"
}

# unfinished: what a create leaves that is killed before it has written its state
unfinished() {
	mkdir -p "$oci_root/$id"
	ln -s "/$cgroup_parent/$id" "$oci_root/$id/cgroup"
	sleep 1000 &
	straggler=$!
	for h in $(awk '$3 == "cgroup" && $4 ~ /(^|,)(freezer|pids)(,|$)/ { print $2 }' /proc/mounts) \
		$(awk '$3 == "cgroup2" { print $2 }' /proc/mounts); do
		mkdir -p "$h/$cgroup_parent/$id"
		# Vanilla 2.6.32 moves threads only.
		echo $straggler 2>/dev/null >"$h/$cgroup_parent/$id/cgroup.procs" ||
			echo $straggler >"$h/$cgroup_parent/$id/tasks"
	done
}

killed_creates_are_deleted() {
	unfinished
	fails 'does not exist' oci delete "$id"
	oci delete --force "$id"
	process_ends $straggler 5
	nothing_of "$id"
}

killed_creates_are_replaced() {
	unfinished
	args='"true"' config
	oci run -b "$bundle" "$id"
	process_ends $straggler 5
	nothing_of "$id"
}

bare_directories_are_replaced() {
	mkdir -p "$oci_root/$id"
	args='"true"' config
	oci run -b "$bundle" "$id"
	nothing_of "$id"
}

living_creates_are_respected() {
	mkfifo "$T/go"
	hooks="\"createRuntime\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"read x <$T/go\"]}]" args='"true"' config
	oci create -b "$bundle" "$id" </dev/null >/dev/null &
	creator=$!
	eventually 5 test -e "$oci_root/$id"
	fails 'container with id exists' oci create -b "$bundle" "$id"
	echo >"$T/go"
	wait $creator
	status_is "$id" created
	oci delete "$id"
	rm "$T/go"
}

# Whatever the moment: one delete is enough, and before there is a state so is a create.
any_moment_will_do() {
	args='"sleep", "1000"' config
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$POUCH_BUILD/pouch-oci" --root "$oci_root" create -b "$bundle" "$id" </dev/null >/dev/null 2>&1 &
		creator=$!
		sleep "0.00$((i % 10))$((i * 7 % 10))"
		kill -9 $creator 2>/dev/null || :
		wait $creator || :
		if [ $((i % 2)) = 0 ]; then
			oci delete --force "$id"
		elif ! oci create -b "$bundle" "$id" </dev/null >/dev/null 2>"$T/err"; then
			# It came too late: the state was written. The first process then lives, or it went with its maker.
			has 'container with id exists' "$(cat "$T/err")"
			has " $(status_of "$id") " ' created stopped '
		fi
		oci delete --force "$id"
		nothing_of "$id"
	done
}

one_start_wins() {
	config
	oci create -b "$bundle" "$id" </dev/null >/dev/null
	oci start "$id" 2>/dev/null &
	first=$!
	second=0
	oci start "$id" 2>/dev/null || second=1
	wait $first || second=$((second + 1))
	[ $second -le 1 ]
	oci delete -f "$id"
}

its_copy_lies_where_programs_may_run() {
	needs_own_mounts
	[ -z "${AS_KERNEL-}" ] || skip "as-kernel's control groups are below /run"
	config
	mount -t tmpfs -o noexec,mode=755 none /run
	got=0
	(POUCH_HIDE=memfd,mount_setattr && export POUCH_HIDE && oci run -b "$bundle" "$id") || got=$?
	umount /run
	return $got
}
it 'copies itself to where programs may run' its_copy_lies_where_programs_may_run

it 'gives the exit code of run' run_gives_the_exit_code
it 'goes through the states' states_follow_one_another
it 'runs at start what was configured at create' later_changes_change_nothing
it 'deletes a created container without force' created_is_deleted_without_force
it 'says at start why a program cannot be executed' start_says_what_exec_says
it 'names a missing program' missing_programs_are_named
it 'leaves nothing of a failed create' a_failed_create_leaves_nothing
it 'refuses bad input' bad_input_is_refused
it 'logs as text and as JSON' the_log_is_json
it 'logs what is done with --debug' what_is_done_is_logged
it 'takes options of crun' options_of_crun_are_taken
it 'warns of a control group that is in use' groups_in_use_are_a_warning
it 'refuses a frozen control group' frozen_groups_are_refused
it 'deletes with --force what was moved into a frozen group of somebody else' foreign_freezers_hold_nobody
it 'deletes with --force where a child was moved there' foreign_freezers_hold_no_child
it 'takes signal 0' signal_0_only_asks
it 'prints list and state as runc does' list_and_state_print_as_runc
it 'runs the bundle of spec' spec_runs
it 'prints its features' features_tell
it 'keeps the streams apart' streams_are_kept_apart
it 'passes signals on' signals_reach_the_container
it 'keeps a container with --keep' keep_keeps
it 'deletes what is not there with --force' delete_force_of_nothing_is_fine
it 'deletes without a word what failed' a_failed_create_may_be_deleted
it 'deletes what a killed create left' killed_creates_are_deleted
it 'creates anew where a create was killed' killed_creates_are_replaced
it 'creates where a killed create had made no more than the directory' bare_directories_are_replaced
it 'leaves a create alone that goes on' living_creates_are_respected
it 'needs one delete after a kill at any moment' any_moment_will_do
it 'starts a container once' one_start_wins
