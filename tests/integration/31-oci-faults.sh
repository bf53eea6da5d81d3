#!/bin/sh
# each system call of create, start, exec and delete fails in turn: the command works all the same or says why not, nobody crashes, nothing
# is left, and what comes next works
#
# FAULT_STEP=1 tries every call, otherwise each seventh; FAULT_ERRORS are the errors to try (ENOMEM 12, EPERM 1, EIO 5).

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

step=${FAULT_STEP:-7}
errors=${FAULT_ERRORS:-12}
fail_at=${POUCH_FAIL_AT:-$tests/../build/tests/fail-at}
[ -x "$fail_at" ] || skip "there is no $fail_at"
! ldd "$POUCH_BUILD/pouch-oci" 2>&1 | grep -q libasan || skip 'the sanitizers end a program whose mmap() fails'
bundle

# faulty N ERROR ARG...: a command of pouch-oci whose Nth call fails; its exit code is in $code, what it said in $T/said
faulty() {
	faulty_n=$1
	faulty_error=$2
	shift 2
	rm -f "$T/calls"
	code=0
	FAIL_AT_LOG=$T/calls timeout 20 "$fail_at" "$faulty_n" "$faulty_error" "$POUCH_BUILD/pouch-oci" --root "$oci_root" "$@" \
		</dev/null >"$T/said" 2>&1 || code=$?
}

# Where it stops: with the number of the call that failed, and what was said.
wrong() {
	echo "call $n of $what ($(head -n 1 "$T/calls"), error $error), exit code $code: $*"
	cat "$T/said"
	return 1
}

# 124 is the time limit's; 128 and more are signals, but 255 is what exec says of its own failures.
said_why() {
	[ "$code" != 124 ] || wrong 'it hung'
	[ "$code" -lt 128 ] || [ "$code" = 255 ] || wrong 'it crashed'
	[ "$code" = 0 ] || [ -s "$T/said" ] || wrong 'it failed in silence'
}

is_whole() {
	is hello "$(oci exec "$id" echo hello)" || wrong 'what is left does not work'
}

all_is_gone() {
	eventually 5 nothing_of "$id" >/dev/null || { nothing_of "$id" || :; wrong 'something is left'; }
	eventually 5 no_sleeper >/dev/null || wrong 'a process is left'
}

# The containers' command has a number that nobody else sleeps for.
sleeper=1$$
no_sleeper() {
	! grep -qsa "^sleep.$sleeper" /proc/[0-9]*/cmdline
}

calls_of() {
	sed -n 's/^total //p' "$T/calls"
}

# A create that says yes may have made a first process that dies before it starts anything: start says so.
try_create() {
	faulty "$n" "$error" create -b "$bundle" "$id"
	said_why
	if [ "$code" = 0 ]; then
		if oci start "$id" 2>"$T/start"; then
			is_whole
		else
			has 'stopped' "$(cat "$T/start")" || wrong 'start failed otherwise'
		fi
		oci delete --force "$id"
	fi
	all_is_gone
}

try_start() {
	oci create -b "$bundle" "$id" </dev/null >/dev/null 2>&1
	faulty "$n" "$error" start "$id"
	said_why
	[ "$code" != 0 ] || is_whole
	oci delete --force "$id"
	all_is_gone
}

try_exec() {
	oci run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1
	faulty "$n" "$error" exec "$id" echo hello
	said_why
	[ "$code" != 0 ] || grep -q 'hello$' "$T/said" || wrong 'the output is lost'
	is_whole
	oci delete --force "$id"
	all_is_gone
}

try_delete() {
	oci run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1
	faulty "$n" "$error" delete --force "$id"
	said_why
	[ "$code" = 0 ] || oci delete --force "$id"
	all_is_gone
}

# each_call COMMAND: as many as it makes when nothing fails
each_call() {
	what=$1
	args="\"sleep\", \"$sleeper\"" config
	for error in $errors; do
		n=0
		"try_$what"
		total=$(calls_of)
		[ "$total" -gt 20 ] || { echo "only $total calls were seen"; return 1; }
		n=1
		while [ "$n" -le "$total" ]; do
			"try_$what"
			grep -q "^$n " "$T/calls" || [ "$(calls_of)" -lt "$n" ] || wrong 'no call failed'
			n=$((n + step))
		done
	done
}

it 'creates, or says why not' each_call create
it 'starts, or says why not' each_call start
it 'executes, or says why not' each_call exec
it 'deletes, or says why not and deletes then' each_call delete
