#!/bin/sh
# 30-logs - a container's output: every line once, in order, whatever happens to the daemon, the files and the readers
. "$(dirname "$0")/../lib.sh"

pouchd_start
it 'loads an image' image_load

# numbered FROM TO: exactly these numbers, one a line, come in on standard input
numbered() {
	awk -v from="$1" -v to="$2" '$0 != from + NR - 1 { print "line " NR " is " $0; bad = 1; exit } END { if (!bad && NR != to - from + 1) {
		print NR " lines instead of " to - from + 1; bad = 1 }; exit bad }'
}

survives_kills() {
	# 20 bursts of 5000 lines, with the daemon killed four times between and under them
	pouch run -d --name storm busybox sh -c 'i=0; while [ $i -lt 20 ]; do seq $((i * 5000 + 1)) $((i * 5000 + 5000)); i=$((i + 1)); sleep 0.1; done'
	for _ in 1 2 3 4; do
		sleep 0.3
		pouchd_kill9
		pouchd_start
	done
	is 0 "$(pouch wait storm)"
	pouch logs storm >"$T/storm"
	numbered 1 100000 <"$T/storm"
	pouch rm storm
}
it 'loses no line when the daemon is killed' survives_kills

rotates() {
	pouch run --name turn --log-opt max-size=100k --log-opt max-file=3 busybox seq 1 20000 >"$T/direct"
	numbered 1 20000 <"$T/direct"
	dir=$home/containers/$(pouch inspect -f '{{.ID}}' turn)
	is 3 "$(find "$dir" -name 'json.log*' | wc -l)"
	pouch logs turn >"$T/turn"
	numbered "$(head -n 1 "$T/turn")" 20000 <"$T/turn"
	[ "$(wc -l <"$T/turn")" -lt 20000 ]
	pouch logs --tail 1500 turn | numbered 18501 20000
	pouch rm turn
}
it 'rotates its files and reads over them' rotates

follows() {
	pouch run -d --name talk --log-opt max-size=50k --log-opt max-file=100 busybox \
		sh -c 'i=0; while [ $i -lt 10 ]; do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); i=$((i + 1)); sleep 0.1; done'
	pouch logs -f talk >"$T/talk"
	numbered 1 10000 <"$T/talk"
	is 0 "$(pouch wait talk)"
	pouch rm talk
}
it 'follows over rotations and ends with the container' follows

streams_and_tails() {
	pouch run --name both busybox sh -c 'echo out; echo err >&2; printf unfinished' >/dev/null 2>&1
	is "$(printf 'out\nunfinished')" "$(pouch logs both 2>/dev/null)"
	is err "$(pouch logs both 2>&1 >/dev/null)"
	is unfinished "$(pouch logs --tail 1 both 2>&1)"
	is '' "$(pouch logs --tail 0 both 2>&1)"
	pouch logs -t --tail 1 both | grep -Eq '^20[0-9][0-9]-[0-9-]+T[0-9:]+\.[0-9]{9}Z unfinished$'
	is '' "$(pouch logs --since 2030-01-01T00:00:00Z both 2>&1)"
	is '' "$(pouch logs --until 2001-01-01T00:00:00Z both 2>&1)"
	has out "$(pouch logs --since 1h both 2>&1)"
	pouch rm both
}
it 'tells streams apart and cuts by lines and times' streams_and_tails

attributes() {
	pouch run --name tagged --log-opt tag='{{.Name}}/{{.ImageName}}' --log-opt labels=team --label team=blue busybox echo hi
	says 'tag=tagged%2F' pouch logs --details tagged
	says 'team=blue' pouch logs --details tagged
	pouch rm tagged
}
it 'puts attributes into every record' attributes

refuses() {
	fails max-size pouch create --log-opt max-size=big busybox
	fails compress pouch create --log-opt max-size=1m --log-opt compress=true busybox
	fails nonsense pouch create --log-opt nonsense=1 busybox
	fails gelf pouch create --log-driver gelf busybox
	is '' "$(pouch ps -aq)"
}
it 'refuses options that it cannot keep' refuses

keeps_none() {
	pouch run --name silent --log-driver none busybox echo shown >"$T/shown"
	is shown "$(cat "$T/shown")"
	fails none pouch logs silent
	pouch rm silent
}
it 'keeps nothing with the driver none' keeps_none

long_lines() {
	pouch run --name long busybox sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo; echo short' >"$T/long"
	pouch logs long | cmp - "$T/long"
	is 100007 "$(wc -c <"$T/long")"
	pouch rm long
}
it 'brings long lines back whole' long_lines
