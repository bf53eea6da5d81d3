#!/bin/sh
# package.sh - what an administrator does with the installed package, on a machine that has nothing but a kernel and busybox
#
# usage: [PACKAGE_NEW=FILE] [PACKAGE_IMAGE=FILE] sh tests/legacy/package.sh
#
# The package's files lie in / already; the machine needs no rpm: its host unpacks the package (rpm2cpio PACKAGE >FILE). As root, and with
# no pouchd running. Speaks TAP.
#
# PACKAGE_NEW	cpio archive of a newer package, to which it is upgraded under running containers
# PACKAGE_IMAGE	docker-archive with busybox:latest

export POUCH_BUILD=/usr/bin POUCH_TEST_PRIVATE=no
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

image=${PACKAGE_IMAGE:-/images/busybox.tar}
new=${PACKAGE_NEW-}
service=/etc/init.d/pouch
pids=/var/run/pouch-supervisor.pid

[ -x $service ] || skip "there is no $service"
[ -r "$image" ] || skip "there is no image $image"
[ "$(id -u)" = 0 ] || skip 'needs root'

cli() {
	timeout 120 pouch "$@"
}

container_pid() {
	cli inspect -f '{{.State.Pid}}' "$1"
}

pouchd_pid() {
	sed -n 2p $pids
}

another() {
	another_pid=$(pouchd_pid) && [ -n "$another_pid" ] && [ "$another_pid" != "$1" ] && cli version >/dev/null
}

# Other engines' may run here, too.
shims() {
	grep -l '^pouch-shim' /proc/[0-9]*/cmdline 2>/dev/null
}
shims_before=$(shims)

# ---- the service ----------------------------------------------------------------------------------------------------------------------------

starts() {
	exits 3 $service status
	exits 0 $service start
	exits 0 $service status
	exits 0 $service start
	says 'CAPABILITY' cli compat
	cli load -i "$image"
	says busybox cli images
}

# ---- the main job ---------------------------------------------------------------------------------------------------------------------------

runs() {
	is hello "$(cli run --rm --net none busybox echo hello)"
	exits 7 cli run --rm --net none busybox sh -c 'exit 7'
	is in "$(echo in | cli run -i --rm --net none busybox cat)"
}

works_inside() {
	cli volume create -n kept
	cli run -d --name job --net none --restart always -m 64m -v kept:/data busybox sh -c \
		'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done'
	is 'as asked' "$(cli exec job echo 'as asked')"
	cli exec job sh -c 'echo kept >/data/file; echo changed >/etc/motd'
	exits 9 cli exec job sh -c 'exit 9'
	echo copied | cli exec -i job sh -c 'cat >/tmp/file'
	is copied "$(cli exec job cat /tmp/file)"
	eventually 10 sh -c 'pouch logs job | grep -q "^line 3$"'
	cli pause job
	has paused "$(cli ps)"
	cli unpause job
	says sh cli top job
}

publishes() {
	command -v iptables >/dev/null || skip 'there is no iptables'
	cli run -d --name web -p 127.0.0.1:18080:80 busybox httpd -f -p 80 -h /var/www
	eventually 10 wget -q -O - http://127.0.0.1:18080/index.html
	has 'served from a container' "$(wget -q -O - http://127.0.0.1:18080/index.html)"
	cli rm -f web
}

survives_kill() {
	pid=$(container_pid job)
	old=$(pouchd_pid)
	kill -9 "$old"
	eventually 5 another "$old"
	exits 0 $service status
	is "$pid" "$(container_pid job)"
	is again "$(cli exec job echo again)"
}

stays_when_stopped() {
	pid=$(container_pid job)
	exits 0 $service stop
	exits 3 $service status
	process_lives "$pid"
	exits 0 $service start
	is "$pid" "$(container_pid job)"
	exits 0 $service restart
	exits 0 $service condrestart
	exits 0 $service reload
	is "$pid" "$(container_pid job)"
}

# As rpm does it: the configuration stays, files are replaced, and at last the service is restarted.
is_upgraded() {
	[ -n "$new" ] || skip 'no newer package was given'
	pid=$(container_pid job)
	old=$(pouchd_pid)
	before=$(md5sum </usr/bin/pouchd)
	(cd / && cpio -idmu './usr/*' './etc/init.d/*' <"$new")
	if [ "$before" = "$(md5sum </usr/bin/pouchd)" ]; then
		echo 'the new package has the same pouchd'
		return 1
	fi
	is before "$(cli exec job echo before)"
	exits 0 $service condrestart
	another "$old"
	is "$(/usr/bin/pouchd --version | cut -d' ' -f2 | tr -d ,)" "$(cli version | sed -n 's/^ *Version: *//p' | tail -n 1)"
	is "$pid" "$(container_pid job)"
	is after "$(cli exec job echo after)"
	cli logs job | awk '$0 != "line " NR { print "line " NR " is: " $0; exit 1 } END { exit NR < 10 }'
	cli restart -t 1 job
	is new "$(cli exec job echo new)"
}

ends() {
	cli stop -t 1 job
	cli start job
	is kept "$(cli exec job cat /data/file)"
	is changed "$(cli exec job cat /etc/motd)"
	cli rm -f job
	cli volume rm kept
	exits 0 $service stop
	exits 3 $service status
	exits 0 $service stop
	exits 7 $service reload
	is "$shims_before" "$(shims)"
}

it 'starts by its service script' starts
it 'runs containers' runs
it 'executes, copies, logs, pauses and limits' works_inside
it 'publishes a port' publishes
it 'survives kill -9 of pouchd' survives_kill
it 'leaves containers running when it is stopped and restarted' stays_when_stopped
it 'is upgraded under running containers' is_upgraded
it 'removes what it made, and stops' ends
if [ $test_failures != 0 ]; then
	tail -n 20 /var/log/pouch.log | sed 's/^/# /'
fi
