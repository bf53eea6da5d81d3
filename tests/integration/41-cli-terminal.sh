#!/bin/sh
# cli: at a terminal: keys, size, detaching, signals, and the terminal's mode afterwards
. "$(dirname "$0")/../lib.sh"

needs python3
pouchd_start || exit 1
image_load >/dev/null || exit 1

# type_into STEP... -- ARGUMENT...: pouch at a terminal
type_into() {
	steps=
	for word; do
		shift
		[ "$word" != -- ] || break
		steps="$steps '$word'"
	done
	eval "\"\$tests/terminal\" $steps -- \"\$POUCH_BUILD/pouch\" -H \"unix://\$socket\" \"\$@\""
}

interactive() {
	exits 5 type_into 'expect:# ' 'send:tty; echo "A"B\r' expect:/dev/pts/0 expect:AB 'send:exit 5\r' -- \
		run -it --rm --net none busybox sh
}
it 'runs a shell' interactive

sizes() {
	type_into 'expect:# ' 'send:stty size\r' 'expect:24 80' 'resize:40x100' sleep:0.5 'send:stty size\r' 'expect:40 100' \
		'send:exit\r' -- run -it --rm --net none busybox sh
}
it "passes the window's size on, and its changes" sizes

interrupts() {
	type_into 'expect:# ' 'send:sleep 1000\r' sleep:0.5 'send:\x03' 'expect:# ' 'send:exit 0\r' -- \
		run -it --rm --net none busybox sh
}
it 'gives Ctrl-C to the container' interrupts

detaches() {
	exits 0 type_into 'expect:# ' 'send:\x10\x11' mode:cooked -- run -it --name det --net none busybox sh
	is true "$(pouch inspect -f '{{.State.Running}}' det)"
	exits 4 type_into mode:raw 'send:\r' 'expect:# ' 'send:exit 4\r' -- attach det
	pouch rm det
}
it 'leaves a container by Ctrl-P Ctrl-Q, and comes back' detaches

single_ctrl_p() {
	type_into 'expect:# ' 'send:cat -v\r' sleep:0.3 'send:a\x10b\r' 'expect:a^Pb' 'send:\x03' 'expect:# ' 'send:exit 0\r' -- \
		run -it --rm --net none busybox sh
}
it 'passes on a Ctrl-P that no Ctrl-Q follows' single_ctrl_p

own_keys() {
	exits 0 type_into 'expect:# ' 'send:x\x01y' mode:cooked -- run -it --name det --detach-keys x,ctrl-a,y --net none busybox sh
	is true "$(pouch inspect -f '{{.State.Running}}' det)"
	pouch rm -f det
	fails "detach keys 'ctrl-1'" pouch run --detach-keys ctrl-1 --net none --rm busybox true
}
it 'leaves by other keys' own_keys

exec_terminal() {
	pouch run -d --name det --net none busybox sleep 1000
	exits 6 type_into 'expect:# ' 'send:stty size\r' 'expect:24 80' 'resize:20x70' sleep:0.5 'send:stty size\r' \
		'expect:20 70' 'send:exit 6\r' -- exec -it det sh
	exits 0 type_into 'expect:# ' 'send:\x10\x11' mode:cooked -- exec -it det sh
	pouch rm -f det
}
it 'execs a shell' exec_terminal

mode_is_restored() {
	pouch run -dit --name det --net none busybox sh
	for sig in TERM HUP INT QUIT; do
		type_into mode:raw "signal:$sig" mode:cooked -- attach det || [ $? -gt 128 ]
	done
	is true "$(pouch inspect -f '{{.State.Running}}' det)"
	type_into mode:raw 'send:exit\r' mode:cooked -- attach det
	pouch rm det
}
it 'restores the terminal whatever ends it' mode_is_restored

no_terminal() {
	fails 'the input device is not a TTY' pouch run -it --rm --net none busybox sh </dev/null
	exits 1 pouch run -it --rm --net none busybox sh </dev/null
	has /dev/pts/0 "$(pouch run -t --rm --net none busybox tty </dev/null)"
}
it 'refuses -it without a terminal, and -t works without one' no_terminal

progress_bars() {
	says 'Loaded image: busybox:latest' type_into -- load -i "$(image_archive)"
}
it 'shows progress in place' progress_bars

signals_pass() {
	type_into expect:go 'send:\x03' expect:int -- run -i --rm --net none busybox \
		sh -c 'trap "echo int; exit 0" INT; echo go; while :; do sleep 0.1; done'
}
it 'passes Ctrl-C on as a signal to a container without a terminal' signals_pass
