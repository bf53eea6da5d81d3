#!/bin/sh
# vm-main - the main job on a real kernel: from a registry across the NIC to containers, and to a port that the outside reaches
#
# Runs in a guest of tests/legacy/vm. Where the root is a disk it leaves containers running for vm-reboot.sh to find after the reboot.
POUCH_TEST_PRIVATE=no
. "$(dirname "$0")/../lib.sh"

[ -n "${VM_REGISTRY-}" ] || skip 'this needs the registry of tests/legacy/vm'
# The flags of the machine's own /sys: on 2.6.32 those of a container's are easily the same ones.
sys_flags() {
	awk '$2 == "/sys" { print $4 }' /proc/mounts
}
sys_before=$(sys_flags)

image=$VM_REGISTRY/library/busybox:latest
daemon_options="--insecure-registries $VM_REGISTRY"
# shellcheck disable=SC2086 # words
pouchd_start $daemon_options || exit 1

pull() {
	says 'Downloaded newer image' pouch pull "$image"
	has "$image" "$(pouch images)"
	says 'Image is up to date' pouch pull "$image"
}
it 'pulls from a registry across the network' pull

limited() {
	got=$(pouch run --rm -m 64m --cpus 0.5 --pids-limit 50 --hostname inside "$image" sh -c 'hostname; cat /proc/self/cgroup >&2; id -u')
	is 'inside
0' "$got"
	exits 7 pouch run --rm "$image" sh -c 'exit 7'
	fails 'ead-only' pouch run --rm "$image" chmod 700 /sys/kernel
	is "$sys_before" "$(sys_flags)"
}
it 'runs with limits, and passes the status on' limited

# The web server tells its name, and writes down what comes back in the second request.
web='mkdir -p /www/cgi-bin; echo "$SECRET" >/www/name
printf "#!/bin/sh\necho \"\$QUERY_STRING\" >/tmp/back\nprintf \"Content-Type: text/plain\\\\r\\\\n\\\\r\\\\nok\\\\n\"\n" >/www/cgi-bin/back
chmod 755 /www/cgi-bin/back; exec httpd -f -p 80 -h /www'

# reached CONTAINER SECRET: somebody outside of this machine reads the page and says what was on it
reached() {
	pouch exec "$1" rm -f /tmp/back
	eventually 5 sh -c "echo '@fetch name' >/dev/ttyS1"
	eventually 40 pouch exec "$1" test -s /tmp/back
	is "$2" "$(pouch exec "$1" cat /tmp/back)"
}

published() {
	pouch run -d --name web -p 8080:80 -e SECRET=fromweb "$image" sh -c "$web"
	eventually 10 wget -q -T 2 -O "$T/page" "http://$(pouch inspect -f '{{.NetworkSettings.IPAddress}}' web):80/name"
	is fromweb "$(cat "$T/page")"
	reached web fromweb
	eventually 10 wget -q -T 2 -O "$T/page" http://127.0.0.1:8080/name
	is fromweb "$(cat "$T/page")"
}
it 'serves a published port to the outside' published

execs() {
	has 'uid=33(www-data) gid=33(www-data)' "$(pouch exec -u www-data web id)"
	exits 3 pouch exec web sh -c 'exit 3'
	is abc "$(echo abc | pouch exec -i web cat)"
	is /tmp "$(pouch exec -w /tmp web pwd)"
	has httpd "$(pouch exec web ps)"
	has httpd "$(pouch top web)"
}
it 'executes commands inside, and lists what runs there' execs

logs() {
	pouch run -d --name talk "$image" sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo "line $i"; done'
	is 0 "$(pouch wait talk)"
	is 2000 "$(pouch logs talk | wc -l)"
	is 'line 2000' "$(pouch logs --tail 1 talk)"
	pouch rm talk
}
it 'keeps output' logs

copies() {
	pouch help cp >/dev/null 2>&1 || skip 'this build has no "pouch cp"'
	head -c 100000 /dev/urandom >"$T/bytes"
	pouch cp "$T/bytes" web:/tmp/bytes
	is "$(md5sum <"$T/bytes" | cut -c1-32)" "$(pouch exec web md5sum /tmp/bytes | cut -c1-32)"
	pouch cp web:/tmp/bytes "$T/back"
	cmp "$T/bytes" "$T/back"
}
it 'copies files in and out' copies

volumes() {
	mkdir -p "$T/shared"
	pouch run --rm -v kept:/data -v "$T/shared:/shared" "$image" sh -c 'echo one >/data/file; echo two >/shared/file'
	is two "$(cat "$T/shared/file")"
	is one "$(pouch run --rm -v kept:/data:ro "$image" cat /data/file)"
	fails 'ead-only' pouch run --rm -v kept:/data:ro "$image" touch /data/other
	pouch volume remove kept
}
it 'keeps volumes' volumes

pauses() {
	pouch run -d --name ticks "$image" sh -c 'while :; do echo tick; usleep 50000; done'
	eventually 10 says tick pouch logs ticks
	pouch pause ticks
	sleep 0.5
	before=$(pouch logs ticks | wc -l)
	sleep 1
	is "$before" "$(pouch logs ticks | wc -l)"
	pouch unpause ticks
	goes_on() {
		[ "$(pouch logs ticks | wc -l)" -gt "$before" ]
	}
	eventually 10 goes_on
	says ticks pouch stop -t 1 ticks
	pouch rm ticks
}
it 'pauses and goes on' pauses

policies() {
	pouch run -d --name tries --restart on-failure:2 "$image" sh -c 'exit 4' || :
	# All of one moment: before its last start it is counted and does not run either, and has no exit code.
	given_up() {
		is '2 false 4' "$(pouch inspect -f '{{.RestartCount}} {{.State.Running}} {{.State.ExitCode}}' tries)"
	}
	eventually 30 given_up
	# It may have been between two starts just then.
	eventually 30 pouch rm tries
	pouch run -d --name again --restart always "$image" sleep 1000
	pid=$(pouch inspect -f '{{.State.Pid}}' again)
	kill -9 "$pid"
	comes_back() {
		is true "$(pouch inspect -f '{{.State.Running}}' again)"
		[ "$(pouch inspect -f '{{.State.Pid}}' again)" != "$pid" ]
	}
	eventually 30 comes_back
	pouch rm -f again
}
it 'starts again what its policy wants' policies

survives() {
	pouch run -d --name lives "$image" sh -c 'i=0; while i=$((i + 1)); do echo "line $i"; usleep 20000; done'
	pid=$(pouch inspect -f '{{.State.Pid}}' lives)
	for _ in 1 2 3; do
		sleep 0.5
		pouchd_kill9
		sleep 0.5
		# shellcheck disable=SC2086 # words
		pouchd_start $daemon_options
	done
	is "$pid" "$(pouch inspect -f '{{.State.Pid}}' lives)"
	pouch logs lives >"$T/lines"
	awk '$2 != NR { print "line " NR " is " $0; bad = 1; exit } END { exit bad || NR < 20 }' "$T/lines"
	reached web fromweb
	says up pouch exec lives echo up
	pouch rm -f lives
}
it 'loses nothing when the daemon is killed' survives

removes() {
	pouch rm -f web
	is '' "$(pouch ps -aq)"
	fails '' wget -q -T 2 -O /dev/null http://127.0.0.1:8080/name
	pouch rmi "$image"
	is '' "$(pouch images -q)"
}
it 'removes all of it' removes

# ---- for after the reboot ------------------------------------------------------------------------------------------------------

lasting=/var/lib/pouch-lasting

lasting_pouch() {
	timeout 60 "$POUCH_BUILD/pouch" -H unix:///var/run/pouch-lasting.sock "$@"
}

lasting_daemon() {
	# Not a child of this script, which would wait for it.
	(
		"$POUCH_BUILD/pouchd" --home-dir $lasting --exec-root-dir /var/run/pouch-lasting --listen unix:///var/run/pouch-lasting.sock \
			--pidfile /var/run/pouch-lasting.pid --config-file $lasting.json --bridge-name lasting0 --bip 172.29.0.1/24 \
			--insecure-registries "$VM_REGISTRY" >>/var/log/pouch-lasting.log 2>&1 </dev/null &
	)
	eventually 30 lasting_pouch version
}

leaves_for_the_reboot() {
	mkdir -p $lasting
	echo '{}' >$lasting.json
	lasting_daemon
	lasting_pouch pull "$image"
	lasting_pouch run -d --name forever --restart always -p 8080:80 -v lasting:/data -e SECRET=stillhere "$image" \
		sh -c "echo boot >>/data/boots; echo started; $web"
	lasting_pouch run -d --name once "$image" sleep 100000
	lasting_pouch run -d --name stopped --restart unless-stopped "$image" sleep 100000
	lasting_pouch stop -t 0 stopped
	lasting_pouch ps -a
	is 1 "$(lasting_pouch exec forever cat /data/boots | wc -l)"
	sync
}
# What lasts has ports and a bridge: where the suite runs on xfs too, it is not for that run.
if [ "$(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)" = ext4 ] && [ "${TMPDIR-}" != /disk/xfs ] && [ ! -e $lasting ]; then
	it 'leaves containers running for the reboot' leaves_for_the_reboot
fi
