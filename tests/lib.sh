# shellcheck shell=sh disable=SC2119,SC2120 # options are optional
# lib.sh - the words of the integration tests; POSIX sh, works under busybox too
#
#	. "$(dirname "$0")/../lib.sh"
#	pouchd_start
#	image_load
#	names_are_kept() {
#		pouch create --name web busybox true
#		has web "$(pouch ps -a)"
#		fails 'already exist' pouch create --name web busybox true
#	}
#	it 'keeps names' names_are_kept
#
# A file gets a directory $T, and, where the kernel can, a network and a mount namespace of its own, so files disturb neither the host nor
# each other (POUCH_TEST_PRIVATE=no leaves them in the host's, =mounts gives a mount namespace only). At its end everything is removed and
# what is then left counts as a failure.

set -u
tests=$(cd "$(dirname "$0")/.." && pwd)
POUCH_BUILD=${POUCH_BUILD:-$tests/../build}
POUCH_BUILD=$(cd "$POUCH_BUILD" && pwd)
export POUCH_BUILD

if [ "${POUCH_TEST_PRIVATE-}" = "" ] && [ "$(id -u)" = 0 ] && unshare -n -m true 2>/dev/null; then
	export POUCH_TEST_PRIVATE=yes
	# shellcheck disable=SC2086 # "busybox sh" is two words
	exec unshare -n -m ${TEST_SHELL:-sh} "$0" "$@"
fi
if [ "${POUCH_TEST_PRIVATE-}" = mounts ]; then
	export POUCH_TEST_PRIVATE=no
	if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
		export POUCH_TEST_PRIVATE=own-mounts
		# shellcheck disable=SC2086 # as above
		exec unshare -m ${TEST_SHELL:-sh} "$0" "$@"
	fi
fi
[ "${POUCH_TEST_PRIVATE-}" != yes ] || ip link set lo up

T=$(mktemp -d "${TMPDIR:-/tmp}/pouch-test.XXXXXX") || exit 2
chmod 755 "$T"
home=$T/home
exec_root=$T/run
socket=$T/pouchd.sock
cgroup_parent=pouch-test-$$
bridge=pt$$
bip=172.31.$(($$ % 250)).1/24
export ASAN_OPTIONS="log_path=$T/sanitizer:${ASAN_OPTIONS-}" UBSAN_OPTIONS="log_path=$T/sanitizer:print_stacktrace=1"

test_count=0
test_failures=0

# ---- tests and what they expect ------------------------------------------------------------------------------------------------

# it NAME COMMAND...: one test. A function as command runs in a subshell under "set -e": each of its lines must succeed.
it() {
	it_name=$1
	shift
	test_count=$((test_count + 1))
	( # shellcheck disable=SC2030 # meant for skip, in here
		in_it=yes
		set -e
		"$@"
	) >"$T/output" 2>&1
	case $? in
	0) echo "ok $test_count - $it_name" ;;
	77)
		echo "ok $test_count - $it_name # SKIP $(sed -n 's/^skip: //p' "$T/output" | tail -n 1)"
		;;
	*)
		test_failures=$((test_failures + 1))
		echo "not ok $test_count - $it_name"
		tail -n 20 "$T/output" | sed 's/^/# /'
		;;
	esac
}

# skip REASON: inside a test skips it, outside skips the rest of the file
skip() {
	# shellcheck disable=SC2031
	if [ "${in_it-}" = yes ]; then
		echo "skip: $*"
		exit 77
	fi
	test_count=$((test_count + 1))
	echo "ok $test_count - the tests that need it # SKIP $*"
	exit 0
}

# needs COMMAND...: skips unless each is installed
needs() {
	for needed; do
		command -v "$needed" >/dev/null 2>&1 || skip "$needed is not installed"
	done
}

# known_caps LINES: without the bits that 2.6.32 sets for capabilities which it does not know
known_caps() {
	echo "$1" | sed 's/\t[0-9a-f]\{7\}c\([0-9a-f]\{8\}\)$/\t00000000\1/'
}

# needs_setpriv: busybox has a small one under that name
needs_setpriv() {
	needs setpriv
	setpriv --reuid 0 --regid 0 --clear-groups --bounding-set +all true 2>/dev/null || skip 'the setpriv of util-linux is not installed'
}

# needs_own_mounts: skips where the file has no mount namespace of its own
needs_own_mounts() {
	case ${POUCH_TEST_PRIVATE-} in
	yes | own-mounts) ;;
	*) skip 'needs a mount namespace of its own' ;;
	esac
}

# needs_engine COMMAND...: as needs, for other container engines, which do not start on old kernels
needs_engine() {
	needs "$@"
	case ${AS_KERNEL-} in
	2.6.32 | el6) skip "$1 does not work on kernel $AS_KERNEL" ;;
	esac
}

# joins: can a process join all namespaces of a container?
joins() {
	case ,${POUCH_HIDE-}, in
	*,setns,*) return 1 ;;
	esac
	[ -e /proc/self/ns/mnt ]
}

# needs_joins: skips where a container cannot join the namespaces of another
needs_joins() {
	[ -e /proc/self/ns/mnt ] || skip 'this kernel cannot join all namespaces'
	joins || skip 'namespaces cannot be joined: setns is hidden'
}

is() {
	[ "$1" = "$2" ] || { echo "expected '$1', got '$2'"; return 1; }
}

has() {
	case $2 in
	*"$1"*) ;;
	*) echo "expected '$1' in: $2"; return 1 ;;
	esac
}

hasnt() {
	case $2 in
	*"$1"*) echo "did not expect '$1' in: $2"; return 1 ;;
	esac
}

# says TEXT COMMAND...: succeeds and prints TEXT somewhere
says() {
	says_text=$1
	shift
	says_got=$("$@" 2>&1) || { echo "'$*' failed ($?): $says_got"; return 1; }
	has "$says_text" "$says_got"
}

# fails TEXT COMMAND...: fails, and says TEXT about it
fails() {
	fails_text=$1
	shift
	if fails_got=$("$@" 2>&1); then
		echo "'$*' should have failed, and said: $fails_got"
		return 1
	fi
	has "$fails_text" "$fails_got"
}

# exits CODE COMMAND...
exits() {
	exits_code=$1
	shift
	exits_got=0
	"$@" || exits_got=$?
	[ "$exits_got" = "$exits_code" ] || { echo "'$*' exited with $exits_got, not $exits_code"; return 1; }
}

# eventually SECONDS COMMAND...: tries again until it succeeds or the time is over
eventually() {
	eventually_tries=$(($1 * 10))
	shift
	until "$@" >"$T/eventually" 2>&1; do
		eventually_tries=$((eventually_tries - 1))
		[ $eventually_tries -gt 0 ] || { echo "'$*' never succeeded:"; cat "$T/eventually"; return 1; }
		sleep 0.1
	done
}

# ---- the daemon ----------------------------------------------------------------------------------------------------------------

pouch() {
	timeout "${POUCH_SECONDS:-60}" "$POUCH_BUILD/pouch" -H "unix://$socket" "$@"
}

process_lives() {
	[ -r "/proc/$1/stat" ] && ! grep -q '^[0-9]* (.*) [ZX]' "/proc/$1/stat" 2>/dev/null
}

# Not "wait": the daemon need not be a child of the shell that asks.
process_ends() {
	eventually "$2" process_is_gone "$1" >/dev/null
}

process_is_gone() {
	! process_lives "$1"
}

pouchd_answers() {
	process_lives "$(cat "$T/pouchd.pid")" || return 0
	"$POUCH_BUILD/pouch" -H "unix://$socket" version
}

# pouchd_start [OPTION...]: a pouchd of this file's own; its output is in $T/pouchd.log
pouchd_start() {
	{ [ -x "$POUCH_BUILD/pouchd" ] && [ -x "$POUCH_BUILD/pouch" ]; } || skip "there is no pouchd in $POUCH_BUILD"
	[ "$(id -u)" = 0 ] || skip 'pouchd needs root'
	[ -e "$T/config.json" ] || echo '{}' >"$T/config.json"
	"$POUCH_BUILD/pouchd" --home-dir "$home" --exec-root-dir "$exec_root" --listen "unix://$socket" --pidfile "$T/pid" \
		--config-file "$T/config.json" --cgroup-parent "$cgroup_parent" --bridge-name "$bridge" --bip "$bip" "$@" \
		>>"$T/pouchd.log" 2>&1 </dev/null &
	echo $! >"$T/pouchd.pid"
	eventually 20 pouchd_answers || return 1
	process_lives "$(cat "$T/pouchd.pid")" || { echo 'pouchd ended at once:'; tail -n 5 "$T/pouchd.log"; return 1; }
}

pouchd_signal() {
	[ -e "$T/pouchd.pid" ] || return 0
	pouchd_pid=$(cat "$T/pouchd.pid")
	rm -f "$T/pouchd.pid"
	kill "-$1" "$pouchd_pid" 2>/dev/null || :
	process_ends "$pouchd_pid" 30 || { echo "pouchd ($pouchd_pid) does not end on $1"; kill -9 "$pouchd_pid"; return 1; }
}

pouchd_stop() {
	pouchd_signal TERM
}

pouchd_kill9() {
	pouchd_signal KILL
}

# ---- images and registries -----------------------------------------------------------------------------------------------------

# image_archive: the path of a docker-archive of busybox:latest, made on first use
image_archive() {
	image_file=$POUCH_BUILD/test-images/busybox.tar
	[ -e "$image_file" ] || sh "$tests/mkimage" "$image_file" busybox:latest || return 1
	echo "$image_file"
}

image_load() {
	image_file=$(image_archive) || skip 'busybox-static is not installed'
	pouch load -i "$image_file"
}

# registry_start [PORT]: a real registry on loopback; $registry is its address and $T/registry-PORT.yml its configuration, which a test may
# write first
registry_start() {
	needs docker-registry
	registry_port=${1:-5000}
	registry=127.0.0.1:$registry_port
	[ -e "$T/registry-$registry_port.yml" ] || cat >"$T/registry-$registry_port.yml" <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $T/registry-$registry_port}, delete: {enabled: true}}
		http: {addr: $registry}
	END
	docker-registry serve "$T/registry-$registry_port.yml" >"$T/registry-$registry_port.log" 2>&1 </dev/null &
	echo $! >"$T/registry-$registry_port.pid"
	eventually 20 registry_listens "$registry_port"
}

registry_listens() {
	grep -qi "^ *[0-9]*: 0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}

registry_stop() {
	registry_pid=$(cat "$T/registry-${1:-5000}.pid") || return 0
	rm -f "$T/registry-${1:-5000}.pid"
	kill "$registry_pid" 2>/dev/null || :
	process_ends "$registry_pid" 10
}

# registry_push ARCHIVE NAME:TAG [gzip|zstd|none]: a docker-archive into the registry that was started last
registry_push() {
	needs curl
	sh "$tests/registry-push" "$1" "$registry" "${2%:*}" "${2##*:}" "${3:-gzip}"
}

# ---- the end -------------------------------------------------------------------------------------------------------------------

# Not "ip link show type veth", which busybox has not.
veths() {
	ip -o link 2>/dev/null | sed -n 's/^[0-9]*: \(veth[^:@]*\).*/\1/p'
}

our_mounts() {
	awk -v t="$T" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo
}

# Processes of a container, by their cgroup; and processes around it, by their arguments.
our_processes() {
	grep -lE "[:/]$cgroup_parent(/|\$)" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3
	# The brackets keep grep from finding itself.
	grep -l "${T%?}[${T#"${T%?}"}]/" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
}

# in_cgroups EXPRESSION...: find(1) in all hierarchies, wherever they are mounted. Groups of others that go while it looks are no failure.
in_cgroups() {
	# shellcheck disable=SC2046 # one word a mount
	set -- $(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts) "$@"
	case $1 in
	/*) find "$@" 2>/dev/null || : ;;
	esac
}

# cgroup_mount CONTROLLER: where the version 1 hierarchy with it is mounted; nothing when there is none
cgroup_mount() {
	awk -v want="$1" '$3 == "cgroup" && index("," $4 ",", "," want ",") { print $2; exit }' /proc/self/mounts
}

our_cgroups() {
	in_cgroups -type d -path "*/$cgroup_parent/*"
}

nothing_is_left() {
	left=0
	complain() {
		[ -z "$2" ] || { left=1; printf '%s left: %s\n' "$1" "$(echo "$2" | tr '\n' ' ')"; }
	}
	complain mounts "$(our_mounts)"
	complain processes "$(for p in $(our_processes | sort -u); do
		# The grep that looks finds itself; it is gone by now, as is what was just ending.
		if process_lives "$p"; then echo "$p: $(tr '\0' ' ' <"/proc/$p/cmdline")"; fi
	done)"
	complain cgroups "$(our_cgroups)"
	complain 'container files' "$(find "$home/containers" "$exec_root" -mindepth 1 -type d 2>/dev/null | grep -E '/[0-9a-f]{64}$')"
	complain 'temporary files' "$(find "$home/tmp" -mindepth 1 2>/dev/null)"
	if [ "${POUCH_TEST_PRIVATE-}" = yes ]; then
		complain interfaces "$(veths)"
		complain 'iptables rules' "$(iptables-save 2>/dev/null | grep -e '-j DNAT')"
	fi
	return $left
}

sanitizers_are_silent() {
	for report in "$T"/sanitizer.*; do
		[ ! -e "$report" ] || { cat "$report"; return 1; }
	done
}

finish() {
	finish_status=$?
	trap - EXIT
	if [ -e "$T/pouchd.log" ]; then
		{ [ -e "$T/pouchd.pid" ] && process_lives "$(cat "$T/pouchd.pid")"; } || pouchd_start >/dev/null 2>&1
		containers=$(pouch ps -aq --no-trunc 2>/dev/null)
		# shellcheck disable=SC2086 # one word a container
		[ -z "$containers" ] || pouch rm -f -v $containers >/dev/null 2>&1
		it 'stops the daemon' pouchd_stop
		rm -f "$T/pouchd.pid"
		it 'leaves nothing behind' eventually 5 nothing_is_left
	fi
	for pid_file in "$T"/registry-*.pid; do
		[ ! -e "$pid_file" ] || kill "$(cat "$pid_file")" 2>/dev/null
	done
	it 'has no finding of a sanitizer' sanitizers_are_silent

	wait

	# What a failed test left is removed all the same; what is frozen cannot end.
	in_cgroups -path "*/$cgroup_parent*" -name freezer.state | while read -r state; do
		echo THAWED >"$state"
	done
	for p in $(our_processes | sort -u); do
		[ "$p" = $$ ] || kill -9 "$p" 2>/dev/null
	done
	for mount in $(our_mounts | sort -r); do
		umount -l "$mount"
	done
	in_cgroups -depth -type d -path "*/$cgroup_parent*" -exec rmdir {} +
	[ "${POUCH_TEST_PRIVATE-}" = yes ] || sh "$tests/forget-bridge" "$bridge"
	if [ $test_failures != 0 ] && [ -e "$T/pouchd.log" ]; then
		echo '# the last of pouchd.log:'
		tail -n 30 "$T/pouchd.log" | sed 's/^/# /'
	fi
	[ -n "${POUCH_TEST_KEEP-}" ] || rm -rf "$T"
	echo "1..$test_count"
	[ $test_failures = 0 ] || exit 1
	exit $finish_status
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
