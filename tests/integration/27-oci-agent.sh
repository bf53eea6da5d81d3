#!/bin/sh
# exec where the kernel cannot join namespaces: the agent; everything of 24-oci-exec, and that it is no way out
POUCH_HIDE="${POUCH_HIDE:+$POUCH_HIDE,}setns"
export POUCH_HIDE
. "$(dirname "$0")/24-oci-exec.sh"

# What follows is about a container of its own.
id=a$$
caps='"CAP_KILL","CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER"'
namespaces=$default_namespaces
linux='"rootfsPropagation":"rprivate"'

# The host's pid of the agent of $id: the first child of the first process that is called so.
agent_pid() {
	for stat in /proc/[0-9]*/stat; do
		if grep -q "(pouch-exec-agen) . $(pid_of "$id") " "$stat" 2>/dev/null; then
			stat=${stat#/proc/}
			echo "${stat%/stat}"
			return 0
		fi
	done
	return 1
}

agent_is_shown_by_name() {
	has_agent "$id"
	has ' pouch-exec-agent' "$(oci exec "$id" ps)"
	is 'sleep' "$(oci exec "$id" sh -c 'read -r _ name _ </proc/1/stat; name=${name#?}; echo ${name%?}')"
	[ "$(stat -c %a "$oci_root/$id/agent.sock")" = 600 ]
}

# A program that waits for all its children must not wait for the agent.
wait_does_not_see_it() {
	(
		id=${id}w
		args=$(sh_args 'sleep 0 & sleep 0 & wait; wait; echo done') config
		is 'done' "$(oci run -b "$bundle" "$id")"
	)
}

agent_has_no_more_rights() {
	agent=$(agent_pid)
	# CHOWN DAC_OVERRIDE FOWNER KILL, and what giving up rights takes: SETGID SETUID SETPCAP
	is '1eb' "$(sed -n 's/^CapPrm:	*\(00000000\|fffffffc\)00000//p' "/proc/$agent/status")"
	# 2.6.32 shows bits above its last capability, which is 33, as they were born.
	is '2b' "$(sed -n 's/^CapBnd:	*\(00000000\|fffffffc\)000000//p' "/proc/$agent/status")"
	is '0000000000000000' "$(sed -n 's/^CapInh:	*//p' "/proc/$agent/status")"
	fails 'CAP_SYS_ADMIN' oci exec --cap CAP_SYS_ADMIN "$id" true
	has '0000002b' "$(oci exec -u 1000:1000 "$id" grep CapBnd: /proc/self/status)"
	echo '{"user":{"uid":1000,"gid":1000},"args":["cat","/proc/self/status"],"env":["PATH=/bin"],"cwd":"/"}' >"$T/user.json"
	has 'CapPrm:	0000000000000000' "$(oci exec -p "$T/user.json" "$id")"
}

agent_holds_nothing_of_the_host() {
	agent=$(agent_pid)
	for fd in "/proc/$agent/fd"/*; do
		case $(readlink "$fd") in
		/dev/null | socket:* | anon_inode:*signalfd* | '[signalfd]' | /proc) ;;
		*) echo "$fd is $(readlink "$fd")"; return 1 ;;
		esac
	done
	is / "$(readlink "/proc/$agent/cwd")"
	is "$(stat -Lc %d:%i "/proc/$(pid_of "$id")/root/")" "$(stat -Lc %d:%i "/proc/$agent/root/")"
	has "$id" "$(cat "/proc/$agent/cgroup")"
}

# As root in the container, which owns the agent's processes by its user id.
agent_cannot_be_looked_into() {
	for file in environ maps mem; do
		is '' "$(oci exec "$id" cat "/proc/2/$file" 2>/dev/null)"
	done
	for link in exe cwd root fd/0 fd/3; do
		is '' "$(oci exec "$id" readlink "/proc/2/$link")"
	done
	fails '' oci exec "$id" sh -c 'echo >/proc/2/mem'
	fails '' oci exec "$id" sh -c 'echo >>/proc/2/exe'
	fails '' oci exec "$id" sh -c 'cat </proc/2/fd/4'
	fails '' oci exec "$id" ls /proc/2/root/etc
}

# The path is outside; that of /proc/net/unix, where the kernel shows it at all, leads nowhere.
agent_cannot_be_reached() {
	for path in "$oci_root/$id/agent.sock" /agent.sock; do
		oci exec "$id" sh -c "[ ! -e '$path' ]"
	done
	hasnt agent.sock "$(oci exec "$id" cat /proc/net/unix)"
}

# It waits in a frozen group, after it was set up and before it has its program.
half_made_child_cannot_be_looked_into() {
	freezer=$(cgroup_mount freezer)
	[ -n "$freezer" ] || skip 'no freezer of cgroup v1 here'
	group=$freezer/$cgroup_parent/$id/cold
	mkdir "$group"
	echo FROZEN >"$group/freezer.state"
	sleep 100 &
	if ! echo $! >"$group/tasks"; then
		kill $!
		rmdir "$group"
		skip 'this kernel moves nobody into a frozen group'
	fi
	echo THAWED >"$group/freezer.state"
	kill -9 $!
	wait $! || :
	echo FROZEN >"$group/freezer.state"
	oci exec --cgroup freezer:cold "$id" true &
	eventually 10 grep -q . "$group/tasks"
	# Its number inside is the highest.
	inner=$(oci exec "$id" sh -c 'for p in /proc/[0-9]*; do [ "${p#/proc/}" = $$ ] || echo "${p#/proc/}"; done | sort -n | tail -n 1')
	[ "$inner" -gt 2 ]
	for file in environ maps mem; do
		fails '' oci exec "$id" cat "/proc/$inner/$file"
	done
	for link in exe cwd root fd/0 fd/3 fd/4; do
		is '' "$(oci exec "$id" readlink "/proc/$inner/$link")"
	done
	echo THAWED >"$group/freezer.state"
	wait $!
	rmdir "$group"
}

signals_do_not_end_it() {
	oci exec "$id" sh -c 'for s in HUP INT QUIT TERM USR1 USR2 ALRM PIPE CHLD; do kill -$s 2; done; kill -STOP 2; sleep 0.2; kill -CONT 2'
	is alive "$(oci exec "$id" echo alive)"
	is 2 "$(oci exec "$id" sh -c 'kill -TERM -1; echo 2')"
	is alive "$(oci exec "$id" echo alive)"
}

exec_gets_signals() {
	"$POUCH_BUILD/pouch-oci" --root "$oci_root" exec "$id" \
		sh -c 'trap "exit 7" TERM; echo >/tmp/ready; while :; do sleep 0.1; done' </dev/null &
	eventually 10 oci exec "$id" test -e /tmp/ready
	kill -TERM $!
	exits 7 wait $!
	"$POUCH_BUILD/pouch-oci" --root "$oci_root" exec "$id" sleep 555 </dev/null &
	eventually 10 oci exec "$id" sh -c 'ps | grep -q "[s]leep 555"'
	kill -INT $!
	exits 130 wait $!
}

bytes_arrive() {
	word=$(printf 'a\344\303\050z')
	is "$word" "$(oci exec -e "W=$word" "$id" sh -c 'echo "$W"')"
	is "$word" "$(oci exec "$id" echo "$word")"
}

descriptors_are_passed() {
	echo fifth >"$T/fifth"
	is 'fifth' "$(oci exec --preserve-fds 3 "$id" sh -c 'cat <&5' 3</dev/null 4</dev/null 5<"$T/fifth")"
	is '0 1 2 3 4 5 6' "$(echo $(oci exec --preserve-fds 3 "$id" ls /proc/self/fd 3</dev/null 4</dev/null 5<"$T/fifth"))"
	fails 'is a directory' oci exec --preserve-fds 1 "$id" true 3</
	fails 'is a directory' oci exec "$id" true </
}

many_at_once() {
	n=0
	pids=
	while [ $n -lt "${POUCH_EXECS:-500}" ]; do
		"$POUCH_BUILD/pouch-oci" --root "$oci_root" exec "$id" sh -c "exit $((n % 100))" </dev/null &
		pids="$pids $!"
		n=$((n + 1))
	done
	n=0
	for pid in $pids; do
		exits $((n % 100)) wait "$pid"
		n=$((n + 1))
	done
	# Nobody of them is left, as a zombie or otherwise: the first process, the agent, ps.
	is 4 "$(oci exec "$id" ps | wc -l)"
}

# Whose parent ends goes to the first process, as in any container.
orphans_do_not_stay_with_it() {
	oci exec "$id" sh -c '(sleep 1000 & exec sleep 0) & wait'
	orphan=$(oci exec "$id" sh -c 'for p in /proc/[0-9]*; do read -r n c _ parent _ <$p/stat; [ "$c $parent" != "(sleep) 1" ] || echo $n; done')
	[ -n "$orphan" ]
	oci exec "$id" kill -9 "$orphan"
}

exec_in_a_paused_container_is_refused() {
	oci pause "$id"
	fails 'paused' oci exec --ignore-paused "$id" true
	oci resume "$id"
	oci exec "$id" true
}

death_of_the_agent_is_told() {
	oci exec -d --pid-file "$T/stays.pid" "$id" sleep 333 </dev/null >/dev/null
	exits 137 oci exec "$id" sh -c 'kill -9 2; sleep 333'
	fails 'agent is gone' oci exec "$id" true
	status_is "$id" running
	process_lives "$(cat "$T/stays.pid")"
	remove "$id"
	nothing_of "$id"
	process_ends "$(cat "$T/stays.pid")" 5
}

container_end_ends_all() {
	start_sleeper
	agent=$(agent_pid)
	oci exec "$id" sleep 444 &
	eventually 10 oci exec "$id" sh -c 'ps | grep -q "[s]leep 444"'
	oci kill "$id" KILL
	exits 137 wait $!
	process_ends "$agent" 5
	fails 'stopped' oci exec "$id" true
	remove "$id"
	nothing_of "$id"
}

# In the host's pid namespace nobody ends it for us.
shared_pid_namespace_leaves_nothing() {
	namespaces='{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}'
	start_sleeper
	agent=$(agent_pid)
	is pouch "$(oci exec "$id" hostname)"
	kill -KILL "$(pid_of "$id")"
	process_ends "$agent" 5
	remove "$id"
	nothing_of "$id"
}

joins_are_refused() {
	namespaces=$default_namespaces
	start_sleeper
	owner=$(pid_of "$id")
	(
		for kind in network:net ipc:ipc uts:uts pid:pid; do
			id=${id}j
			namespaces="{\"type\":\"mount\"},{\"type\":\"${kind%:*}\",\"path\":\"/proc/$owner/ns/${kind#*:}\"}"
			hostname='' args='"true"' config
			sed -i '/"hostname"/d' "$bundle/config.json"
			fails 'join-namespaces' oci run -b "$bundle" "$id"
			nothing_of "$id"
		done
	)
	remove "$id"
}

start_sleeper
it 'shows the agent by its name' agent_is_shown_by_name
it 'does not let programs wait for it' wait_does_not_see_it
it 'gives it no more rights than the container has' agent_has_no_more_rights
it 'gives it nothing of the host' agent_holds_nothing_of_the_host
it 'lets nobody look into the agent' agent_cannot_be_looked_into
it 'lets nobody reach the agent' agent_cannot_be_reached
it 'lets nobody look into a half-made child' half_made_child_cannot_be_looked_into
it 'survives signals' signals_do_not_end_it
it 'forwards signals' exec_gets_signals
it 'passes bytes that are no text' bytes_arrive
it 'passes descriptors, but no directories' descriptors_are_passed
it 'starts 500 processes at once' many_at_once
it 'keeps no orphans' orphans_do_not_stay_with_it
it 'refuses exec in a paused container' exec_in_a_paused_container_is_refused
it 'tells when the agent was killed' death_of_the_agent_is_told
it 'ends with the container' container_end_ends_all
it 'leaves no agent in a shared pid namespace' shared_pid_namespace_leaves_nothing
it 'refuses to join other namespaces' joins_are_refused
