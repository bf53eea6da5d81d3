#!/bin/sh
# Bombs: containers and clients that take all they can get, and what others feel of it
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

clock_ms() {
	read -r up _ </proc/uptime
	echo "$((${up%.*} * 1000 + 1${up#*.} * 10 - 1000))"
}

# answers: milliseconds of ten rounds of what monitoring asks for
answers() {
	answers_began=$(clock_ms)
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		pouch version >/dev/null && pouch ps -a >/dev/null || return 1
	done
	echo $(($(clock_ms) - answers_began))
}

# lines: milliseconds of a container that logs a few thousand of them, from its start to its end
lines() {
	lines_began=$(clock_ms)
	pouch run --rm --net none busybox sh -c 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done' >"$T/lines"
	is 3000 "$(wc -l <"$T/lines")"
	echo $(($(clock_ms) - lines_began))
}

# bounded NAME BEFORE WITH: others may be slower, as they share the processors, but not out of proportion. SECURITY_FIGURES gets the figures.
bounded() {
	echo "$it_name: $1: $2 ms before, $3 ms now" | tee -a "${SECURITY_FIGURES:-/dev/null}"
	[ "$3" -lt $(($2 * 12 + 3000)) ]
}

memory_of() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

daemon() {
	cat "$T/pouchd.pid"
}

shim_of() {
	sed -n 's/^PPid:[^0-9]*//p' "/proc/$(pouch inspect -f '{{.State.Pid}}' "$1")/status"
}

# with_bomb NAME OPTION... IMAGE COMMAND...: it runs while others are measured
with_bomb() {
	name=$1
	shift
	pouch run -d --name "$name" --net none -v "$attack:/bin/attack:ro" "$@"
	shim=$(shim_of "$name")
	sleep 1
	daemon_before=$(memory_of "$(daemon)")
	bounded answers "$quiet_answers" "$(answers | tail -n 1)"
	bounded lines "$quiet_lines" "$(lines | tail -n 1)"
	if process_lives "$shim"; then
		shim_memory=$(memory_of "$shim")
		echo "shim $shim_memory KiB, daemon $daemon_before to $(memory_of "$(daemon)") KiB"
		[ "${shim_memory:-0}" -lt 65536 ]
	fi
	[ $(($(memory_of "$(daemon)") - daemon_before)) -lt 65536 ]
	POUCH_SECONDS=60 pouch rm -f "$name"
}

pouchd_start
image_load >/dev/null
answers >/dev/null
quiet_answers=$(answers)
quiet_lines=$(lines | tail -n 1)
[ -n "$quiet_lines" ] || skip 'containers do not run'

# ---- bombs in containers -----------------------------------------------------------------------------------------------------------

forks() {
	# Without a limit it forks as often as it wants.
	pouch run -d --name free --net none -v "$attack:/bin/attack:ro" busybox attack fork 300 1000
	eventually 10 sh -c "[ \$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c '(attack)') -ge 300 ]"
	pouch rm -f free
	pouch run -d --name bound --net none --pids-limit 50 -v "$attack:/bin/attack:ro" busybox attack fork 300 1000 || skip 'no limit of processes here'
	sleep 1
	[ "$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c '(attack)')" -le 51 ]
	pouch rm -f bound
	# Each fork of the bomb would go through the player of the old kernel: it, and not the limit, would be what is felt.
	[ -z "${AS_KERNEL-}" ] || return 0
	with_bomb bomb --pids-limit 200 busybox attack fork 1000000 1000
}

# What they cost is theirs: it is killed, or fails, and others are not.
memories() {
	pouch run --rm --net none -v "$attack:/bin/attack:ro" busybox attack memory 100 0
	exits_got=0
	pouch run --rm --net none -m 40m -v "$attack:/bin/attack:ro" busybox attack memory 100 0 || exits_got=$?
	[ $exits_got != 0 ]
	with_bomb bomb -m 40m busybox sh -c 'while :; do attack memory 100 0; done'
}

open_files() {
	with_bomb bomb busybox attack descriptors 1000
	# Its own limit holds.
	got=$(pouch run --rm --net none --ulimit nofile=50:50 -v "$attack:/bin/attack:ro" busybox attack descriptors 0)
	[ "${got#opened }" -lt 50 ]
}

logs_stay_small() {
	# Without a limit the log takes what it gets.
	pouch run --name all --net none busybox sh -c 'yes 0123456789012345678901234567890123456789 | head -c 8000000' >/dev/null
	[ "$(du -sk "$home/containers/$(pouch inspect -f '{{.Id}}' all)" | cut -f1)" -gt 8000 ]
	pouch rm -f all
	with_bomb bomb --log-opt max-size=1m --log-opt max-file=2 busybox yes 0123456789012345678901234567890123456789
	pouch run -d --name small --net none --log-opt max-size=1m --log-opt max-file=2 busybox sh -c \
		'yes 0123456789012345678901234567890123456789 | head -c 30000000; echo the end; sleep 1000'
	most=0
	eventually 60 sh -c "'$POUCH_BUILD/pouch' -H 'unix://$socket' logs small 2>&1 | tail -n 1 | grep -q 'the end'"
	most=$(du -sk "$home/containers/$(pouch inspect -f '{{.Id}}' small)" | cut -f1)
	echo "$most KiB"
	[ "$most" -lt 3000 ]
	pouch rm -f small
}

it 'bounds forks' forks
it 'bounds memory' memories
it 'bounds open files' open_files
it 'keeps logs small, and others fast' logs_stay_small

# ---- clients -----------------------------------------------------------------------------------------------------------------------

# clients MODE COUNT [REQUEST-PATH]: connections that are held
clients_start() {
	"$attack" clients "$socket" "$@" >"$T/clients" 2>&1 &
	clients=$!
	eventually 120 grep -q held "$T/clients" || { clients_stop; return 1; }
	cat "$T/clients"
}

clients_stop() {
	kill $clients
	wait $clients || :
}

silent_clients_cost_little() {
	daemon_before=$(memory_of "$(daemon)")
	clients_start silent 2000
	bounded answers "$quiet_answers" "$(answers | tail -n 1)"
	bounded lines "$quiet_lines" "$(lines | tail -n 1)"
	grew=$(($(memory_of "$(daemon)") - daemon_before))
	echo "grew by $grew KiB"
	[ $grew -lt 100000 ]
	clients_stop
	# Those that have said half of it
	clients_start half 500
	bounded answers "$quiet_answers" "$(answers | tail -n 1)"
	clients_stop
	eventually 10 sh -c "[ \$(ls /proc/$(daemon)/fd | wc -l) -lt 100 ]"
}

# They lose their place to others; who waits for an answer does not.
silent_clients_are_sent_away() {
	[ "${SECURITY_LONG-}" = yes ] || skip 'takes more than a minute: make check-long'
	pouch run -d --name slow --net none busybox sleep 75
	POUCH_SECONDS=100 pouch wait slow >"$T/waited" &
	waiter=$!
	clients_start silent 500
	clients_more=$clients
	clients_start half 500
	[ "$(ls "/proc/$(daemon)/fd" | wc -l)" -gt 1000 ]
	eventually 80 sh -c "[ \$(ls /proc/$(daemon)/fd | wc -l) -lt 100 ]"
	clients_stop
	clients=$clients_more
	clients_stop
	wait $waiter
	is 0 "$(cat "$T/waited")"
	pouch rm -f slow
}

# One user's connections, however many, leave some for others.
a_user_leaves_room() {
	[ -z "${AS_KERNEL-}" ] || skip 'thousands of threads are too much for a played kernel'
	chmod 666 "$socket"
	# shellcheck disable=SC3045 # every shell that is a /bin/sh has ulimit -n
	(ulimit -n 20000 2>/dev/null || :; exec "$attack" as 1000 "$attack" clients "$socket" silent 5000 >"$T/clients" 2>&1) &
	clients=$!
	# A thread a client, until there are enough: a slow host needs its time.
	all_held=
	! eventually 120 grep -q held "$T/clients" || all_held=yes
	got=$(POUCH_SECONDS=10 answers | tail -n 1) || got=
	clients_stop
	chmod 660 "$socket"
	[ -n "$all_held" ]
	[ -n "$got" ]
	bounded answers "$quiet_answers" "$got"
	eventually 20 sh -c "[ \$(ls /proc/$(daemon)/fd | wc -l) -lt 100 ]"
}

# What an old kernel gives to who starts pouchd by hand, where pouchd may not raise it.
of_few_descriptors_too() {
	pouchd_stop
	# shellcheck disable=SC3045 # every shell that is a /bin/sh has ulimit -n
	(ulimit -n 1024 && pouchd_start)
	a_user_leaves_room
}

# Nobody reads what they asked for.
deaf_clients_hold_nobody_up() {
	pouch run -d --name talker --net none busybox sh -c 'while :; do echo 01234567890123456789012345678901234567890123456789; done'
	clients_start deaf 200 "/containers/talker/attach?stream=1&stdout=1&stderr=1"
	bounded answers "$quiet_answers" "$(answers | tail -n 1)"
	bounded lines "$quiet_lines" "$(lines | tail -n 1)"
	shim_memory=$(memory_of "$(shim_of talker)")
	echo "shim $shim_memory KiB"
	[ "$shim_memory" -lt 131072 ]
	clients_stop
	clients_start deaf 200 "/containers/talker/logs?stdout=1&follow=1"
	bounded answers "$quiet_answers" "$(answers | tail -n 1)"
	clients_stop
	POUCH_SECONDS=20 pouch rm -f talker
	eventually 20 sh -c "[ \$(ls /proc/$(daemon)/fd | wc -l) -lt 100 ]"
}

# Attached before the start: as many as wait, and no more.
waiting_clients_are_bounded() {
	pouch create --name later --net none busybox echo hello
	clients_start deaf 400 "/containers/later/attach?stream=1&stdout=1"
	fds=$(ls "/proc/$(daemon)/fd" | wc -l)
	echo "$fds descriptors"
	[ "$fds" -lt 350 ]
	bounded answers "$quiet_answers" "$(answers | tail -n 1)"
	clients_stop
	says hello pouch start -a later
	pouch rm -f later
}

many_execs() {
	pouch run -d --name worker --net none busybox sleep 1000
	pids=
	for _ in 1 2 3 4 5 6 7 8; do
		(for _ in 1 2 3 4 5 6 7 8 9 10; do pouch exec worker true || echo failed; done) >>"$T/execs" 2>&1 &
		pids="$pids $!"
	done
	bounded answers "$quiet_answers" "$(answers | tail -n 1)"
	for p in $pids; do
		wait "$p"
	done
	is '' "$(cat "$T/execs")"
	is 1 "$(pouch exec worker sh -c 'ps | grep -c [s]leep')"
	pouch rm -f worker
}

it 'gives silent clients little' silent_clients_cost_little
it 'sends silent clients away' silent_clients_are_sent_away
it 'lets no user take all connections' a_user_leaves_room
it 'is held up by nobody who does not read' deaf_clients_hold_nobody_up
it 'bounds those who wait for a start' waiting_clients_are_bounded
it 'runs many execs' many_execs
it 'lets no user take all of few descriptors' of_few_descriptors_too
