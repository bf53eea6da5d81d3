#!/bin/sh
# cli: standard input, output and error between a user's pipes and a container; logs
. "$(dirname "$0")/../lib.sh"

pouchd_start || exit 1
image_load >/dev/null || exit 1

run() {
	pouch run --rm --net none "$@"
}

stdin_is_passed() {
	is hello "$(echo hello | run -i busybox cat)"
	is '' "$(echo hello | run busybox cat)"
	is 3 "$(printf 'a\nb\nc\n' | run -i busybox wc -l)"
	is '' "$(: | run -i busybox cat)"
	is end "$(run -i busybox sh -c 'cat; echo end' </dev/null)"
}
it 'pipes standard input, and its end' stdin_is_passed

streams_are_apart() {
	is out "$(run busybox sh -c 'echo out; echo err >&2' 2>/dev/null)"
	is err "$(run busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
}
it 'keeps output and error apart' streams_are_apart

bytes_are_kept() {
	head -c 5000000 /dev/urandom >"$T/bytes"
	run -i busybox cat <"$T/bytes" >"$T/copy"
	cmp "$T/bytes" "$T/copy"
	run --log-driver none -i busybox sh -c 'cat >&2' <"$T/bytes" 2>"$T/copy"
	cmp "$T/bytes" "$T/copy"
}
it 'loses and changes no byte' bytes_are_kept

nothing_is_lost() {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		is "$i" "$(run busybox echo "$i")"
		exits "$i" run busybox sh -c "exit $i"
	done
}
it 'loses neither output nor status of containers that end at once' nothing_is_lost

slow_reader() {
	is 20000000 "$(run --log-driver none busybox head -c 20000000 /dev/zero | { sleep 1; wc -c; })"
}
it 'waits for a slow reader' slow_reader

gone_reader() {
	is 0 "$(pouch run --name gone --net none busybox sh -c 'i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done' | head -n 1)"
	pouch wait gone
	pouch rm gone
}
it 'ends quietly when its reader has gone' gone_reader

early_end() {
	head -c 3000000 /dev/zero >"$T/zeros"
	exits 4 run -i busybox sh -c 'exit 4' <"$T/zeros"
	is abc "$(yes | run -i busybox echo abc)"
}
it 'ends with a container that does not read its input' early_end

signals_reach() {
	"$POUCH_BUILD/pouch" -H "unix://$socket" run --rm --net none --name sig busybox \
		sh -c 'trap "echo term; exit 8" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 0.1; done' >"$T/sig" &
	client=$!
	eventually 10 grep -q up "$T/sig"
	kill -USR1 $client
	eventually 10 grep -q usr1 "$T/sig"
	kill -TERM $client
	status=0
	wait $client || status=$?
	is 8 $status
	has term "$(cat "$T/sig")"
}
it 'passes signals on' signals_reach

without_proxy() {
	"$POUCH_BUILD/pouch" -H "unix://$socket" run --rm --sig-proxy=false --net none --name nosig busybox sleep 1000 &
	client=$!
	eventually 10 pouch exec nosig true
	kill -TERM $client
	status=0
	wait $client || status=$?
	is 143 $status
	is true "$(pouch inspect -f '{{.State.Running}}' nosig)"
	pouch rm -f nosig
}
it 'leaves the container alone with --sig-proxy=false' without_proxy

detached() {
	id=$(pouch run -d --net none --name det busybox sh -c 'echo out; echo err >&2; sleep 1; exit 3')
	is 64 "$(printf %s "$id" | wc -c)"
	is 3 "$(pouch wait det)"
	is out "$(pouch logs det 2>/dev/null)"
	is err "$(pouch logs det 2>&1 >/dev/null)"
	pouch rm det
	exits 4 pouch run -d --net none --name fast busybox sh -c 'exit 4' || is 0 "$exits_got"
	pouch wait fast
	pouch rm fast
	id=$(pouch run -d --rm --net none busybox true)
	eventually 10 fails 'no such container' pouch inspect "$id"
}
it 'runs in the background' detached

log_options() {
	pouch run --name logs --net none busybox sh -c 'for i in 1 2 3 4 5; do echo line$i; done' >/dev/null
	is 5 "$(pouch logs logs | wc -l)"
	is 'line4 line5' "$(echo $(pouch logs --tail 2 logs))"
	is line5 "$(pouch logs -n 1 logs)"
	is '' "$(pouch logs -n 0 logs)"
	is 5 "$(pouch logs --tail all logs | wc -l)"
	is 5 "$(pouch logs -t logs | grep -c '^2[0-9-]*T[0-9:.]*Z line')"
	is '' "$(pouch logs --until 10m logs)"
	is 5 "$(pouch logs --since 10m logs | wc -l)"
	is '' "$(pouch logs --since 2100-01-01T00:00:00Z logs)"
	is 5 "$(pouch logs -f logs | wc -l)"
	fails 'invalid argument for --tail' pouch logs --tail x logs
	fails 'invalid argument for --since' pouch logs --since x logs
	pouch rm logs
}
it 'shows logs' log_options

following() {
	pouch run -d --name follow --net none busybox sh -c 'echo one; while [ ! -e /go ]; do sleep 0.1; done; echo two; exit 0' >/dev/null
	pouch logs -f follow >"$T/follow" &
	follower=$!
	eventually 10 grep -q one "$T/follow"
	pouch exec follow touch /go
	wait $follower
	is 'one two' "$(echo $(cat "$T/follow"))"
	pouch rm follow
}
it 'follows a log to its end' following

attached() {
	pouch create -i --name att --net none busybox sh -c 'read x; echo "got $x"; exit 5' >/dev/null
	got=$(echo word | pouch start -ai att) && return 1
	is 'got word' "$got"
	pouch rm att
	pouch run -d --name att --net none busybox sh -c 'while [ ! -e /go ]; do sleep 0.1; done; echo late; exit 6' >/dev/null
	pouch attach att >"$T/att" &
	attacher=$!
	sleep 0.5
	pouch exec att touch /go
	status=0
	wait $attacher || status=$?
	is 6 $status
	is late "$(cat "$T/att")"
	fails 'it is not running' pouch attach att
	pouch rm att
}
it 'attaches' attached
