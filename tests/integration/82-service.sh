#!/bin/sh
# The service script, with an installation in a root of its own: every action, every exit code, crashes, and containers that do not notice
. "$(dirname "$0")/../lib.sh"
. "$tests/private-root.sh"

[ -x "$POUCH_BUILD/pouchd" ] || skip "there is no pouchd in $POUCH_BUILD"
image=$(image_archive) || skip 'busybox-static is not installed'
log=$R/var/log/pouch.log

# The storage driver's files and all else are as on a host; only names that the host shares are ours.
configure() {
	echo "{\"cgroup-parent\": \"$cgroup_parent\", \"iptables\": false, \"disable-bridge\": true${1:+, $1}}" >"$R/etc/pouch/config.json"
}

service() {
	inside /etc/init.d/pouch "$@"
}

cli() {
	inside timeout 60 /usr/bin/pouch "$@"
}

line() {
	sed -n "$1p" "$R/var/run/pouch-supervisor.pid"
}

# pids as the host sees them are others; all signals go through inside
pouchd_pid() {
	line 2
}

alive() {
	inside test -d "/proc/$1"
}

# another PID: a pouchd that is not it answers
another() {
	new=$(pouchd_pid) && [ -n "$new" ] && [ "$new" != "$1" ] && cli version >/dev/null
}

stopped() {
	service stop >/dev/null
	exits 3 service status
}

# ---- without containers ---------------------------------------------------------------------------------------------------------------------

answers_when_stopped() {
	exits 3 service status
	fails 'pouchd is stopped' service status
	says 'not running' service stop
	exits 0 service condrestart
	exits 0 service try-restart
	exits 3 service status
	exits 7 service reload
	exits 7 service force-reload
	exits 2 service
	exits 2 service nonsense
	fails 'usage: ' service nonsense
}

starts_and_stops() {
	says 'Starting pouchd: ok' service start
	says "pouchd (pid $(pouchd_pid)) is running" service status
	says 'Version' cli version
	is 660 "$(stat -c %a "$R/var/run/pouchd.sock")"
	before=$(pouchd_pid)
	says 'is running already' service start
	is "$before" "$(pouchd_pid)"
	says 'Stopping pouchd: ok' service stop
	exits 3 service status
	fails '' alive "$before"
	[ ! -e "$R/var/run/pouch-supervisor.pid" ]
	[ ! -e "$R/var/run/pouch.pid" ]
	exits 0 service stop
}

starts_once_when_started_twice() {
	service start >"$T/first" 2>&1 &
	exits 0 service start
	exits 0 wait $!
	is 1 "$(inside sh -c 'grep -l "^/usr/bin/pouchd.--supervise" /proc/[0-9]*/cmdline | wc -l')"
	service stop
}

# A supervisor that has the lock and has not written its pid yet. fd 9 is its lock
second_waits_for_the_pid_of_the_first() {
	pidfile=$R/var/run/pouch-supervisor.pid
	exec 9>"$pidfile"
	flock 9
	inside /usr/bin/pouchd --supervise /var/run/pouch-supervisor.pid >"$T/second" 2>&1 9>&- &
	second=$!
	sleep 1
	kill -0 $second
	inside sh -c 'echo 1' >&9
	exits 1 wait $second
	says 'another supervisor (pid 1) has' cat "$T/second"
	exec 9>&-
	rm "$pidfile"
}

restarts() {
	service start
	old=$(pouchd_pid)
	exits 0 service restart
	another "$old"
	old=$(pouchd_pid)
	exits 0 service condrestart
	another "$old"
	old=$(pouchd_pid)
	exits 0 service try-restart
	another "$old"
}

is_started_again_when_it_crashes() {
	service start
	for seconds in 3 3 4; do
		old=$(pouchd_pid)
		inside kill -9 "$old"
		eventually $seconds another "$old"
	done
	has 'pouchd was killed by signal 9; it is started again in 100 ms' "$(cat "$log")"
	exits 0 service status
	# SIGTERM to pouchd alone is no order to stop the service either.
	old=$(pouchd_pid)
	inside kill "$old"
	eventually 5 another "$old"
	service stop
	sleep 1
	exits 3 service status
}

lives_without_its_supervisor() {
	service start
	old=$(pouchd_pid)
	inside kill -9 "$(line 1)"
	says 'no supervisor' service status
	says 'running already' service start
	service restart
	another "$old"
	hasnt 'no supervisor' "$(service status)"
	stopped
}

reloads() {
	configure '"label": ["a=1"]'
	service restart
	old=$(pouchd_pid)
	configure '"label": ["a=2"], "mtu": 1400, "insecure-registries": ["10.0.0.1:5000"], "debug": true'
	says 'Reloading pouchd: ok' service reload
	eventually 5 grep -q 'changed: insecure-registries, label, debug$' "$log"
	grep -q 'wait for the next start of pouchd: mtu$' "$log"
	has 'a=2' "$(cli info)"
	is "$old" "$(pouchd_pid)"
	configure '"label": ["a=3"]'
	exits 0 service force-reload
	eventually 5 sh -c "[ \$(grep -c 'reload: configuration read again' '$log') = 2 ]"
	has 'a=3' "$(cli info)"
	is "$old" "$(pouchd_pid)"
}

refuses_a_wrong_configuration() {
	configure
	service restart
	old=$(pouchd_pid)
	configure '"no-such-key": 1'
	for action in reload force-reload restart condrestart; do
		exits 6 service $action
		fails "unknown key 'no-such-key'" service $action
	done
	is "$old" "$(pouchd_pid)"
	exits 0 service status
	service stop
	exits 6 service start
	fails "unknown key 'no-such-key'" service start
	configure
	cp "$R/etc/pouch/compat.xml" "$T/compat.xml"
	echo '<compat><hide feature="nonsense"/></compat>' >"$R/etc/pouch/compat.xml"
	exits 6 service start
	fails "nonsense" service start
	cp "$T/compat.xml" "$R/etc/pouch/compat.xml"
	exits 3 service status
	exits 0 service start
}

refuses_who_is_not_root() {
	for action in start stop restart condrestart reload force-reload; do
		exits 4 inside_as_nobody /etc/init.d/pouch $action
	done
	exits 0 inside_as_nobody /etc/init.d/pouch status
	service stop
	exits 4 inside_as_nobody /etc/init.d/pouch start
	exits 3 inside_as_nobody /etc/init.d/pouch status
	echo 1 >"$R/var/run/pouch-supervisor.pid"
	chmod 600 "$R/var/run/pouch-supervisor.pid"
	exits 4 inside_as_nobody /etc/init.d/pouch status
	rm -f "$R/var/run/pouch-supervisor.pid"
}

misses_its_program() {
	mv "$R/usr/bin/pouchd" "$R/usr/bin/pouchd.away"
	code=0
	service start || code=$?
	exits 5 service restart || code=restart
	exits 0 service stop || code=stop
	exits 3 service status || code=status
	mv "$R/usr/bin/pouchd.away" "$R/usr/bin/pouchd"
	is 5 "$code"
}

is_not_misled_by_old_pid_files() {
	service start
	inside kill -9 "$(line 1)" "$(pouchd_pid)"
	eventually 5 exits 1 service status
	says 'Starting pouchd: ok' service start
	service stop
	# The number is another program's by now.
	inside sleep 1000 &
	eventually 5 inside sh -c "grep -l '^sleep.1000' /proc/[0-9]*/cmdline | grep -q ."
	sleeper=$(inside sh -c "grep -l '^sleep.1000' /proc/[0-9]*/cmdline | cut -d/ -f3")
	printf '%s\n%s\n' "$sleeper" "$sleeper" >"$R/var/run/pouch-supervisor.pid"
	echo "$sleeper" >"$R/var/run/pouch.pid"
	exits 1 service status
	exits 0 service stop
	alive "$sleeper"
	exits 3 service status
	printf 'nonsense\n-1\n' >"$R/var/run/pouch-supervisor.pid"
	exits 1 service status
	exits 0 service start
	inside kill "$sleeper"
	stopped
}

marks_what_runs_for_rc() {
	mkdir -p "$R/var/lock/subsys"
	service start
	[ -e "$R/var/lock/subsys/pouch" ]
	service stop
	[ ! -e "$R/var/lock/subsys/pouch" ]
	: >"$R/var/lock/subsys/pouch"
	exits 2 service status
	exits 0 service start
	exits 0 service status
	stopped
}

gives_up_what_never_works() {
	configure "\"listen\": [\"unix:///proc/no/such.sock\"]"
	: >"$log"
	exits 1 service start
	is 9 "$(grep -c 'it is started again in' "$log")"
	grep -q 'ended 10 times within 10 seconds of its start and is given up' "$log"
	exits 3 service status
	: >"$log"
	fails "/proc/no" service start
	configure
}

says_when_nothing_answers() {
	mv "$R/usr/bin/pouchd" "$R/usr/bin/pouchd.real"
	cat >"$R/usr/bin/pouchd" <<-'END'
		#!/bin/sh
		case "$*" in
		*--validate*) exec /usr/bin/pouchd.real "$@" ;;
		esac
		echo 'slow today' >&2
		exec sleep 1000
	END
	chmod 755 "$R/usr/bin/pouchd"
	echo 'START_SECONDS=2' >>"$R/etc/sysconfig/pouch"
	code=0
	service start >"$T/said" 2>&1 || code=$?
	inside sh -c 'kill -9 $(grep -l "^sleep.1000" /proc/[0-9]*/cmdline | cut -d/ -f3)'
	mv "$R/usr/bin/pouchd.real" "$R/usr/bin/pouchd"
	sed -i '/START_SECONDS=2/d' "$R/etc/sysconfig/pouch"
	service stop
	is 1 "$code"
	has 'FAILED' "$(cat "$T/said")"
	has 'does not answer after 2 seconds' "$(cat "$T/said")"
	has 'slow today' "$(cat "$T/said")"
}

# Variables of sysconfig reach pouchd; options too.
reads_sysconfig() {
	cp "$R/etc/sysconfig/pouch" "$T/sysconfig"
	echo 'OPTIONS="--label from=sysconfig"' >>"$R/etc/sysconfig/pouch"
	echo 'http_proxy="http://127.0.0.1:1"' >>"$R/etc/sysconfig/pouch"
	echo 'LOG=/var/log/other.log' >>"$R/etc/sysconfig/pouch"
	service restart
	has 'from=sysconfig' "$(cli info)"
	has 'http_proxy=http://127.0.0.1:1' "$(inside cat "/proc/$(pouchd_pid)/environ" | tr '\0' '\n')"
	grep -q 'listening on' "$R/var/log/other.log"
	is 640 "$(stat -c %a "$R/var/log/other.log")"
	cp "$T/sysconfig" "$R/etc/sysconfig/pouch"
	stopped
}

# Only what the script uses of CentOS 6's file.
speaks_through_functions() {
	mkdir -p "$R/etc/rc.d/init.d"
	cat >"$R/etc/rc.d/init.d/functions" <<-'END'
		umask 022
		success() { echo -n "[  OK  ]"; return 0; }
		failure() { rc=$?; echo -n "[FAILED]"; return $rc; }
		status() { echo 'not ours'; return 99; }
	END
	says 'Starting pouchd: [  OK  ]' service start
	exits 0 service status
	says 'Stopping pouchd: [  OK  ]' service stop
	configure '"listen": ["unix:///proc/no/such.sock"]'
	fails 'Starting pouchd: [FAILED]' service start
	configure
	rm -r "$R/etc/rc.d"
}

runs_in_other_shells() {
	for shell in dash bash; do
		path=$(command -v $shell) || continue
		copy_libraries "$path"
		cp -L "$path" "$R/tmp/$shell"
		exits 0 inside "/tmp/$shell" /etc/init.d/pouch start
		exits 0 inside "/tmp/$shell" /etc/init.d/pouch restart
		exits 0 inside "/tmp/$shell" /etc/init.d/pouch reload
		exits 0 inside "/tmp/$shell" /etc/init.d/pouch status
		exits 0 inside "/tmp/$shell" /etc/init.d/pouch stop
		exits 3 inside "/tmp/$shell" /etc/init.d/pouch status
	done
}

log_may_be_cut() {
	needs logrotate
	service start
	seq 1 20000 >>"$log"
	sed "s|/var/log|$R/var/log|; s/compress//; s/delay//" "$R/etc/logrotate.d/pouch" >"$T/logrotate"
	chmod 644 "$T/logrotate"
	chmod 755 "$R/var/log"
	logrotate -s "$T/logrotate.state" -f "$T/logrotate"
	[ -s "$log.1" ]
	[ "$(wc -c <"$log")" -lt 1000 ]
	service reload
	eventually 5 grep -q 'reload: configuration read again' "$log"
	# A writer that had kept its place would have left a hole.
	is 0 "$(tr -dc '\000' <"$log" | wc -c)"
	[ "$(wc -c <"$log")" -lt 2000 ]
	stopped
}

# ---- with containers ------------------------------------------------------------------------------------------------------------------------

container_pid() {
	cli inspect -f '{{.State.Pid}}' "$1"
}

containers_do_not_notice() {
	configure
	service start
	cp "$image" "$R/tmp/image.tar"
	cli load -i /tmp/image.tar
	cli run -d --name ticker --net none busybox sh -c 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done'
	pid=$(container_pid ticker)
	alive "$pid"
	says 'Containers that go on without it: 1' service stop
	alive "$pid"
	exits 3 service status
	sleep 1
	says 'Starting pouchd: ok' service start
	is "$pid" "$(container_pid ticker)"
	has Up "$(cli ps)"
	is inside "$(cli exec ticker echo inside)"
	inside kill -9 "$(pouchd_pid)"
	eventually 10 cli ps >/dev/null
	is "$pid" "$(container_pid ticker)"
	service restart
	service condrestart
	is "$pid" "$(container_pid ticker)"
	# Not a line of its log is missing.
	cli logs ticker | awk '$0 != "line " NR { print "line " NR " is: " $0; exit 1 } END { exit NR < 10 }'
	says 'Containers that go on without it: 1' service stop
	service start
	cli rm -f ticker
}

# Programs are replaced as a package does it; the shim and the init inside are those of before.
upgrades_under_containers() {
	cli run -d --name old --net none --init busybox sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
	pid=$(container_pid old)
	for program in bin/pouch bin/pouchd libexec/pouch/pouch-shim libexec/pouch/pouch-oci libexec/pouch/pouch-init; do
		cp "$R/usr/$program" "$R/usr/$program.new"
		echo 'other bytes' >>"$R/usr/$program.new"
		mv "$R/usr/$program.new" "$R/usr/$program"
	done
	alive "$pid"
	is first "$(cli exec old echo first)"
	cli run --rm --net none busybox true
	old=$(pouchd_pid)
	inside kill -9 "$old"
	eventually 3 another "$old"
	is /usr/bin/pouchd "$(inside readlink "/proc/$(pouchd_pid)/exe")"
	exits 0 service condrestart
	is "$pid" "$(container_pid old)"
	is second "$(cli exec old echo second)"
	cli stop -t 10 old
	is 5 "$(cli inspect -f '{{.State.ExitCode}}' old)"
	cli start old
	is third "$(cli exec old echo third)"
	cli rm -f old
}

removal_says_what_still_runs() {
	cli run -d --name left --net none busybox sleep 1000
	pid=$(container_pid left)
	cp "$top/rpm/scriptlets/preun" "$R/tmp/preun"
	inside sh /tmp/preun 1
	exits 0 service status
	says 'containers still run' inside sh /tmp/preun 0
	alive "$pid"
	exits 3 service status
	service start
	cli rm -f left
	inside sh /tmp/preun 0 >"$T/said" 2>&1
	is '' "$(cat "$T/said")"
}

leaves_nothing() {
	is '' "$(inside sh -c 'grep -l "^pouch-shim\|^/usr/bin/pouchd" /proc/[0-9]*/cmdline; find /var/lib/pouch/containers -mindepth 1')"
	is '' "$(find /sys/fs/cgroup -mindepth 2 -type d -path "*/$cgroup_parent/*" 2>/dev/null)"
	is "$R/var/run/pouch" "$(find "$R/var/run" -mindepth 1 -maxdepth 1)"
}

top=$(cd "$tests/.." && pwd)
private_root_can_boot
private_root_make
sh "$top/rpm/install" "$POUCH_BUILD" "$R" || exit 1
configure
private_root_boot || exit 1

it 'answers for what does not run' answers_when_stopped
it 'starts, and stops' starts_and_stops
it 'starts once when it is started twice at a time' starts_once_when_started_twice
it 'waits for the pid of a supervisor that was faster' second_waits_for_the_pid_of_the_first
it 'restarts' restarts
it 'starts pouchd again when it ends unasked' is_started_again_when_it_crashes
it 'serves without its supervisor, and says so' lives_without_its_supervisor
it 'reloads what can change, and says what waits' reloads
it 'refuses a wrong configuration before it stops anything' refuses_a_wrong_configuration
it 'refuses who is not root' refuses_who_is_not_root
it 'says that its program is missing' misses_its_program
it 'is not misled by old pid files' is_not_misled_by_old_pid_files
it 'leaves a mark for rc' marks_what_runs_for_rc
it 'gives up what ends ten times, and says why' gives_up_what_never_works
it 'says when pouchd does not answer' says_when_nothing_answers
it 'reads sysconfig' reads_sysconfig
it 'speaks through the functions of the distribution' speaks_through_functions
it 'runs in dash and bash too' runs_in_other_shells
it 'has a log that may be cut while it is written' log_may_be_cut
it 'leaves containers running through everything' containers_do_not_notice
it 'is upgraded under running containers' upgrades_under_containers
it 'says at its removal what still runs' removal_says_what_still_runs
it 'stops at the end' stopped
it 'leaves nothing behind' eventually 5 leaves_nothing
private_root_halt
