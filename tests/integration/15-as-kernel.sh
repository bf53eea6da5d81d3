#!/bin/sh
# 15-as-kernel.sh - does tests/legacy/as-kernel answer as old kernels were measured to, and do we live with that?
. "$(dirname "$0")/../lib.sh"

[ -z "${AS_KERNEL-}" ] || skip 'as-kernel does not work inside itself'
[ "$(id -u)" = 0 ] || skip 'as-kernel needs root'
tools=$POUCH_BUILD/tests
[ -x "$tools/as-kernel" ] || tools=$tests/../build/tests
[ -x "$tools/as-kernel" ] && [ -x "$tools/kernel-probe" ] || skip 'as-kernel is not built (make check-integration builds it)'

as() {
	timeout "${POUCH_SECONDS:-120}" "$tools/as-kernel" "$@"
}

# facts_hold VERSION: what the probe says under it is what the column of that name says
facts_hold() {
	as "$1" "$tools/kernel-probe" >"$T/said"
	awk -F '\t' -v version="$1" '
	/^#/ { next }
	FNR == NR && !column {
		for (i = 2; i <= NF; i++)
			if ($i == version)
				column = i
		next
	}
	FNR == NR { want[$1] = $column; wanted++; next }
	!($1 in want) { print $1 ": not in facts.tsv"; bad = 1; next }
	{ seen++ }
	want[$1] != $2 { printf "%s: wanted \"%s\", got \"%s\"\n", $1, want[$1], $2; bad = 1 }
	END {
		if (!wanted || seen != wanted)
			printf "%d rows of %d\n", seen, wanted
		exit bad || !wanted || seen != wanted
	}' "$tests/legacy/facts.tsv" "$T/said"
}
for version in 2.6.32 el6 3.10 4.18; do
	it "answers as $version was measured to" facts_hold $version
done

is_transparent() {
	exits 7 as el6 sh -c 'exit 7'
	exits 127 as el6 /nowhere/to/be/found
	exits 137 as 2.6.32 sh -c 'kill -9 $$'
	is through "$(echo through | as 2.6.32 cat)"
	fails 'VERSION: 2.6.32, el6' as 2.4 true
	fails 'does not work inside itself' as 3.10 "$tools/as-kernel" 3.10 true
	is 2.6.32 "$(as 2.6.32 sh -c 'echo $AS_KERNEL')"
}
it 'hands on status, signals and pipes' is_transparent

gnu_programs_go_on() {
	as 2.6.32 sh -c 'ls / | grep -q tmp && stat -c %F / && ulimit -n' >"$T/gnu"
	has directory "$(cat "$T/gnu")"
	! command -v ldd >/dev/null || ! ldd /bin/ls >/dev/null || has libc.so "$(as 2.6.32 ldd /bin/ls)"
}
it 'lets programs of a GNU C library go on' gnu_programs_go_on

# A shell that hears of its children's ends all the time.
finds_what_is_there() {
	is 0 "$(as 2.6.32 sh -c '
		n=0 lost=0
		while [ $n -lt 500 ]; do
			n=$((n + 1))
			/bin/true &
			for file in /bin/sh /bin/sh /bin/sh /bin/sh; do
				[ -x $file ] || lost=$((lost + 1))
			done
		done
		echo $lost')"
}
it 'lets no signal hide a file' finds_what_is_there

# With CAP_PERFMON, /proc/PID/environ of a process that may not be looked into can be read.
rights_up_to() {
	upper=$(as "$1" sed -n 's/^CapEff:	*\(.*\)........$/\1/p' /proc/self/status)
	[ -n "$upper" ]
	is 0 $((0x$upper >> ($2 + 1 - 32)))
}
has_no_later_rights() {
	rights_up_to 2.6.32 33
	rights_up_to el6 33
	rights_up_to 3.10 36
	rights_up_to 4.18 37
}
it 'gives no capability of later kernels' has_no_later_rights

groups_of_old() {
	mounted=$(as "$1" cat /proc/self/mounts | awk '$3 == "cgroup" { print $2 " " $4 }')
	hasnt pids "$mounted"
	hasnt /sys/fs/cgroup "$mounted"
	is '' "$(as "$1" cat /proc/self/mounts | awk '$3 == "cgroup2"')"
	is '' "$(as "$1" grep -e pids -e hugetlb -e '^0::' /proc/cgroups /proc/self/cgroup)"
}
has_no_later_groups() {
	groups_of_old 2.6.32
	groups_of_old el6
	hasnt blkio "$(as 2.6.32 cat /proc/cgroups)"
}
it 'shows no control groups of later kernels' has_no_later_groups

# What there is of ours: another run of as-kernel may be under way on this host.
what_stays() {
	cat /proc/self/mountinfo
	find /run -maxdepth 1 -name 'as-kernel.*' -newer "$T/before"
}

stays_as_before() {
	is "$before" "$(what_stays)"
}

nothing_stays() {
	touch "$T/before"
	before=$(what_stays)
	as 2.6.32 sh -c 'sleep 0.5 & ls -d /run/as-kernel.* || : another one may end meanwhile' >"$T/directories"
	[ -s "$T/directories" ]
	eventually 5 stays_as_before
}
it 'goes away after the last process' nothing_stays

what_cannot_run_has_failed() {
	got=$(sh "$tests/legacy/check" "$T/build" 9.9 2>&1) && return 1
	is '0 passed, 1 failed, 0 skipped' "$(echo "$got" | tail -n 1)"
	mkdir -p "$T/build/test-logs/9.9"
	echo '5 0 0' >"$T/build/test-logs/9.9/totals"
	is '0 passed, 1 failed, 0 skipped' "$(sh "$tests/legacy/check" "$T/build" 9.9 2>&1 | tail -n 1)"
}
it 'counts a kernel that cannot be played as a failure' what_cannot_run_has_failed

# Whatever is said of a substitute, on any machine, docs/compat-kernels.md says too.
page_is_up_to_date() {
	page=$tests/../docs/compat-kernels.md
	for version in 2.6.32 el6 3.10 4.18; do
		as "$version" "$POUCH_BUILD/pouch" -H unix:///nowhere/pouchd.sock compat >"$T/report"
		sed -n 's/^\([a-z][-a-z]*\)  *\*\{0,1\} *[-a-z0-9_.]*  *\(no\|[0-9]*\)  .*/\1/p' "$T/report" >"$T/names"
		[ "$(wc -l <"$T/names")" -gt 25 ]
		while read -r name; do
			grep -q "^| $name | " "$page" || { echo "the page does not know '$name': tests/legacy/compat-page writes it"; return 1; }
		done <"$T/names"
		sed -n 's/^ *\(would lose\|lost\): //p' "$T/report" >"$T/losses"
		[ "$(wc -l <"$T/losses")" -gt 5 ]
		while IFS= read -r loss; do
			grep -qF "| $loss |" "$page" || { echo "the page does not say: $loss"; return 1; }
		done <"$T/losses"
	done
}
it 'has all of it on the page about old kernels' page_is_up_to_date

starts_in_a_row() {
	for version in 2.6.32 el6 3.10 4.18; do
		as "$version" sh -c '
			n=0
			while [ $n -lt 50 ]; do
				"$0" compat --format json >"$1" 2>"$1.err" || { cat "$1.err"; exit 1; }
				n=$((n + 1))
			done' "$POUCH_BUILD/pouch" "$T/report"
		grep -q "\"KernelVersion\": *\"$(as "$version" uname -r)\"" "$T/report"
	done
}
it 'probes each of them fifty times' starts_in_a_row
