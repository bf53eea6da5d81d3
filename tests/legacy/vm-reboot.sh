#!/bin/sh
# vm-reboot - after the machine went down under running containers: the same disk, a new boot
#
# Runs in a guest of tests/legacy/vm, on the disk on which vm-main.sh left containers running.
POUCH_TEST_PRIVATE=no
. "$(dirname "$0")/../lib.sh"

home=/var/lib/pouch-lasting
[ -d "$home" ] || skip 'vm-main has left no containers on this disk'
exec_root=/var/run/pouch-lasting
bridge=lasting0
bip=172.29.0.1/24
pouchd_start || exit 1

running() {
	is true "$(pouch inspect -f '{{.State.Running}}' "$1")"
}

started_again() {
	eventually 30 running forever
	is 2 "$(pouch exec forever cat /data/boots | wc -l)"
	is 2 "$(pouch logs forever | grep -c started)"
}
it 'starts what shall always run, with its volume and its log' started_again

reached() {
	pouch exec forever rm -f /tmp/back
	eventually 5 sh -c "echo '@fetch name' >/dev/ttyS1"
	eventually 40 pouch exec forever test -s /tmp/back
	is stillhere "$(pouch exec forever cat /tmp/back)"
}
it 'publishes its port to the outside again' reached

others_stay_ended() {
	is false "$(pouch inspect -f '{{.State.Running}}' once)"
	is false "$(pouch inspect -f '{{.State.Running}}' stopped)"
	pouch start once
	running once
	says up pouch exec once echo up
	pouch start stopped
	running stopped
}
it 'leaves ended what was ended or need not run, and can start it' others_stay_ended

removed() {
	pouch rm -f -v forever once stopped
	is '' "$(pouch ps -aq)"
	pouch volume remove lasting 2>/dev/null || :
	is '' "$(our_mounts)"
	is '' "$(awk -v home="$home/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo)"
}
it 'removes them all' removed
