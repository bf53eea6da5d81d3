#!/bin/sh
# cli: help, errors, exit codes, the life of a container
. "$(dirname "$0")/../lib.sh"

pouchd_start || exit 1
image_load >/dev/null || exit 1

run() {
	pouch run --net none "$@"
}

help_texts() {
	says 'Usage:  pouch [OPTIONS] COMMAND' pouch
	says 'Usage:  pouch [OPTIONS] COMMAND' pouch --help
	says 'Usage:  pouch run [OPTIONS] IMAGE [ARG...]' pouch help run
	says 'Usage:  pouch run [OPTIONS] IMAGE [ARG...]' pouch run --help
	says 'Usage:  pouch image inspect [OPTIONS]' pouch image inspect -h
	says '--memory string' pouch create --help
	for command in $(pouch --help | sed -n '/^Commands:/,/^Options:/s/^  \([a-z]*\) .*/\1/p'); do
		says "Usage:  pouch $command" pouch help "$command"
	done
}
it 'explains itself' help_texts

mistakes() {
	fails "unknown command 'rnu' for 'pouch'; did you mean: " pouch rnu
	fails "unknown command 'nosuch' for 'pouch image'" pouch image nosuch
	fails 'unknown option: --nosuch' pouch ps --nosuch
	fails 'option needs a value: --name' pouch run --name
	fails "'pouch run' needs at least 1 argument" pouch run
	fails "'pouch rename' needs 2 arguments" pouch rename a
	fails 'invalid argument for --memory' run -m many busybox true
	fails 'no such container: nosuch' pouch stop nosuch
	fails 'failed to stop container nosuch: {"message":"' pouch stop nosuch
	fails 'is it running?' "$POUCH_BUILD/pouch" -H "unix://$T/nobody.sock" ps
	fails "invalid host 'nonsense'" "$POUCH_BUILD/pouch" -H nonsense ps
	exits 1 pouch ps --nosuch
	fails "unknown option: --nosuch; see 'pouch run --help'" pouch run --nosuch busybox
	exits 125 pouch run --nosuch busybox
	exits 125 pouch run -v relative/x:/y busybox true
	exits 125 pouch run -p 99999:80 busybox true
	exits 125 pouch run
}
it 'says what is wrong' mistakes

exit_codes() {
	exits 0 run --rm busybox true
	exits 7 run --rm busybox sh -c 'exit 7'
	exits 137 run --rm --init busybox sh -c 'kill -9 $$'
	exits 127 run --rm busybox nosuchcommand
	exits 126 run --rm busybox /etc
	exits 125 run --rm --pull never nosuchimage true
	exits 1 pouch start nosuch
	is '' "$(pouch ps -aq)"
}
it "exits with the container's status, and 125 to 127 without one" exit_codes

exec_codes() {
	run -d --name ex busybox sleep 1000
	exits 0 pouch exec ex true
	exits 3 pouch exec ex sh -c 'exit 3'
	exits 126 pouch exec ex nosuchcommand
	exits 1 pouch exec nosuch true
	is 'a b' "$(pouch exec -e A=a -e B=b ex sh -c 'echo $A $B')"
	is /tmp "$(pouch exec -w /tmp ex pwd)"
	is abc "$(echo abc | pouch exec -i ex cat)"
	pouch exec -d ex sh -c 'echo done >/tmp/done'
	eventually 5 pouch exec ex test -e /tmp/done
	pouch rm -f ex
}
it 'execs' exec_codes

a_life() {
	pouch create --net none --name life busybox sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done'
	is created "$(pouch inspect -f '{{.State.Status}}' life)"
	says life pouch start life
	eventually 5 says up pouch logs life
	fails 'life2: not found' pouch rename life2 life3
	pouch rename life life2
	says life2 pouch pause life2
	has '(paused)' "$(pouch ps)"
	says life2 pouch unpause life2
	says life2 pouch stop life2
	is 3 "$(pouch wait life2)"
	has 'Stopped (3)' "$(pouch ps -a)"
	says life2 pouch restart life2
	has 'sleep 0.1' "$(pouch top life2)"
	says life2 pouch kill life2
	is 137 "$(pouch wait life2)"
	has '(137)' "$(pouch ps -a)"
	says life2 pouch rm life2
	fails 'no such container' pouch inspect life2
	run --name ended busybox false || :
	has 'Exited (1)' "$(pouch ps -a)"
	pouch rm ended
}
it 'leads a container through its life' a_life

many_at_once() {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		pouch create --net none --name "many$i" busybox true
	done
	# shellcheck disable=SC2046 # one word a container
	is 20 "$(pouch rm $(pouch ps -a --format '{{.Name}}') | wc -l)"
	is '' "$(pouch ps -aq)"
	pouch create --net none --name many1 busybox true
	fails 'failed to remove container nosuch' pouch rm many1 nosuch
	is '' "$(pouch ps -aq)"
}
it 'handles many at once, the good ones even if one is bad' many_at_once

lists() {
	id=$(pouch create --net none --name one -l a=b -p 80 busybox true)
	is "$id" "$(pouch ps -aq --no-trunc)"
	is "$(echo "$id" | cut -c1-6)" "$(pouch ps -aq)"
	has 'Name   ID       Status    Created' "$(pouch ps -a)"
	is '' "$(pouch ps -q)"
	is "one busybox created" "$(pouch ps -a --format '{{.Names}} {{.Image}} {{.State}}')"
	has 'CONTAINER ID   NAMES' "$(pouch ps -a --format 'table {{.ID}}\t{{.Names}}')"
	has a=b "$(pouch ps -a --format '{{.Labels}}')"
	is "$id" "$(pouch ps -aq --no-trunc -f name=one)"
	is '' "$(pouch ps -aq -f name=two)"
	is "$id" "$(pouch ps -aq --no-trunc -f label=a=b -f status=created)"
	is '' "$(pouch ps -aq -f label=a=c)"
	fails 'bad format of filter' pouch ps -f nonsense
	fails 'Template parsing error' pouch ps -a --format '{{.Names'
	is one "$(pouch ps -l --format '{{.Names}}')"
	pouch rm one
}
it 'lists containers' lists

restarting_ones_are_listed() {
	run -d --name again --restart always busybox false || :
	eventually 10 says Restarting pouch ps
	is again "$(pouch ps --format '{{.Names}}')"
	pouch stop -t 0 again
	is '' "$(pouch ps -q)"
	pouch rm again
}
it 'lists those that wait for their next start' restarting_ones_are_listed

# At any moment between two starts.
stopped_stays_stopped() {
	for n in 0 1 2 3 4 5 6 7 8 9; do
		run -d --name "never$n" --restart always busybox false || :
		sleep "0.$n"
		pouch stop -t 0 "never$n"
	done
	sleep 1
	is '' "$(pouch ps -q)"
	for n in 0 1 2 3 4 5 6 7 8 9; do
		pouch rm "never$n"
	done
}
it 'starts nothing again that was stopped between two starts' stopped_stays_stopped

inspection() {
	pouch create --net none --name insp -m 64m --dns 1.1.1.1 --cpu-shares 200 -e A=1 busybox true
	is '200 67108864 [1.1.1.1]' "$(pouch inspect -f '{{.HostConfig.CPUShares}} {{.HostConfig.Memory}} {{.HostConfig.DNS}}' insp)"
	is "$(pouch inspect -f '{{.Id}}' insp)" "$(pouch inspect -f '{{.ID}}' insp)"
	has '"Name": "insp"' "$(pouch inspect insp)"
	is '[' "$(pouch inspect insp | head -n 1)"
	fails "Template parsing error" pouch inspect -f '{{.Nosuch}}' insp
	fails 'Error: Fetch object error: {"message":"' pouch inspect nosuch
	exits 1 pouch inspect nosuch
	got=$(pouch inspect -f '{{.Name}}' insp nosuch 2>&1) && return 1
	is 'insp' "$(echo "$got" | head -n 1)"
	has 'Fetch object error' "$got"
	pouch rm insp
}
it 'inspects' inspection

versions() {
	says 'Server:' pouch version
	is 1.24 "$(pouch version -f '{{.ApiVersion}}')"
	says 'Storage Driver:' pouch info
	is linux "$(pouch info -f '{{.OSType}}')"
	says 'switch-root' pouch compat
	says '"Capabilities"' pouch compat --format json
	says 'switch-root' "$POUCH_BUILD/pouch" -H "unix://$T/nobody.sock" compat
	says 'has probed the host itself' "$POUCH_BUILD/pouch" -H "unix://$T/nobody.sock" compat
}
it 'knows versions, the host and its kernel' versions

cidfiles() {
	id=$(pouch create --net none --cidfile "$T/cid" busybox true)
	is "$id" "$(cat "$T/cid")"
	fails 'exists' pouch create --cidfile "$T/cid" busybox true
	pouch rm "$id"
	fails 'nosuchimage' pouch create --pull never --cidfile "$T/cid2" nosuchimage true
	exits 1 test -e "$T/cid2"
}
it 'writes the ID to a file' cidfiles
