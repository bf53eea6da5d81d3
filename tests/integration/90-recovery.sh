#!/bin/sh
# pouchd is killed again and again under load: nothing is lost, nothing is left
#
# KILLS=n changes how often (default 200).
. "$(dirname "$0")/../lib.sh"

kills=${KILLS:-200}
steady='one two three'

pouchd_start
image_load || skip 'no image could be loaded'

# Milliseconds from 0 to 399.
random_ms() {
	od -An -N2 -tu2 /dev/urandom | awk '{ print $1 % 400 }'
}

sleep_ms() {
	sleep "$(awk -v ms="$1" 'BEGIN { printf "%.3f", ms / 1000 }')"
}

# ---- load: what a client is told to have happened is written down -----------------------------------------------------------------

come_and_go() {
	while [ -e "$T/load" ]; do
		pouch run --rm busybox true >/dev/null 2>&1 || sleep 0.05
	done
}

end_with_a_status() {
	n=0
	while [ -e "$T/load" ]; do
		n=$((n + 1))
		code=$((n % 120 + 1))
		if pouch run -d --net none --name "status$n" busybox sh -c "usleep $((n % 7 * 40000)); exit $code" >/dev/null 2>&1; then
			echo "status$n $code" >>"$T/statuses"
		else
			sleep 0.05
		fi
	done
}

stop_and_start() {
	while [ -e "$T/load" ]; do
		pouch start busy >/dev/null 2>&1 || sleep 0.03
		pouch exec busy true >/dev/null 2>&1
		pouch stop -t 0 busy >/dev/null 2>&1 || sleep 0.03
	done
}

start_steady() {
	for name in $steady; do
		pouch run -d --name "$name" --net none busybox sh -c 'i=0; while i=$((i + 1)); do echo "line $i"; usleep 4000; done'
		pouch inspect -f '{{.State.Pid}}' "$name" >"$T/pid-$name"
	done
	pouch create --name busy --net none -v kept:/data busybox sleep 1000
	pouch run -d --name always --restart always --net none busybox sh -c 'usleep 300000; exit 3'
}

hardly_a_status() {
	[ "$(wc -l <"$T/statuses")" -le 10 ]
}

# Where starts are slow, hardly one is done between two kills: then more follow, with more and more time between them.
kill_again_and_again() {
	: >"$T/load"
	: >"$T/statuses"
	come_and_go &
	workers=$!
	end_with_a_status &
	workers="$workers $!"
	stop_and_start &
	workers="$workers $!"
	i=0
	while [ $i -lt "$kills" ] || { hardly_a_status && [ $i -lt $((kills + 60)) ]; }; do
		[ $i -lt "$kills" ] || sleep $(((i - kills) / 10 + 1))
		i=$((i + 1))
		sleep_ms "$(random_ms)"
		pouchd_kill9
		pouchd_start || { echo "kill $i:"; tail -n 20 "$T/pouchd.log"; rm -f "$T/load"; return 1; }
	done
	rm -f "$T/load"
	# shellcheck disable=SC2086 # one word a process; the daemon is a child too, and lives on
	wait $workers || :
}

# ---- afterwards ---------------------------------------------------------------------------------------------------------------------

the_same_processes_run() {
	for name in $steady; do
		is "$(cat "$T/pid-$name")" "$(pouch inspect -f '{{.State.Pid}}' "$name")"
		is true "$(pouch inspect -f '{{.State.Running}}' "$name")"
	done
}

no_line_is_missing() {
	for name in $steady; do
		pouch logs "$name" >"$T/lines" 2>&1
		awk '$2 != NR { print "line " NR " is " $0; bad = 1; exit } END { exit bad || NR < 100 }' "$T/lines"
	done
}

has_ended() {
	is false "$(pouch inspect -f '{{.State.Running}}' "$1")"
}

every_status_is_known() {
	! hardly_a_status || { echo 'hardly a container was started'; return 1; }
	while read -r name code; do
		eventually 10 has_ended "$name" </dev/null
		is "$name $code" "$name $(pouch inspect -f '{{.State.ExitCode}}' "$name" </dev/null)"
	done <"$T/statuses"
}

policy_still_holds() {
	before=$(pouch inspect -f '{{.RestartCount}}' always)
	restarted_again() {
		[ "$(pouch inspect -f '{{.RestartCount}}' always)" -gt "$before" ]
	}
	eventually 70 restarted_again
	pouch stop -t 0 always || :
	pouch rm -f always
}

volume_is_kept() {
	pouch rm -f busy
	says kept pouch volume list
	pouch volume remove kept
}

all_can_be_removed() {
	# shellcheck disable=SC2046 # one word a container
	pouch rm -f $(pouch ps -aq --no-trunc) >/dev/null
	is '' "$(pouch ps -aq)"
	is '' "$(our_mounts)"
	is '' "$(find "$home"/*/rootfs -mindepth 1 -maxdepth 1 2>/dev/null)"
}

# What a killed pouchd was just starting holds the lock until its execve().
waits_for_the_lock() {
	pouchd_stop
	flock "$home/pouchd.lock" sleep 0.7 &
	sleep 0.2
	pouchd_start
}

it 'starts although the lock is let go a moment later only' waits_for_the_lock
it 'starts what shall live through it' start_steady
it "is killed $kills times under load and comes back each time" kill_again_and_again
it 'keeps running containers, with the same processes' the_same_processes_run
it 'lost no line of their logs' no_line_is_missing
it 'knows how every container ended' every_status_is_known
it 'goes on restarting what its policy wants' policy_still_holds
it 'keeps volumes, and lets go of those of removed containers' volume_is_kept
it 'can remove everything, and nothing of it is left' all_can_be_removed
