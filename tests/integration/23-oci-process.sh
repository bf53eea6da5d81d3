#!/bin/sh
# pouch-oci: who the process is, what it may, what it gets; hooks
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle

user_and_groups_are_set() {
	user='{"uid":1000,"gid":1001,"additionalGids":[5,6],"umask":63}'
	is '1000 1001 1001 5 6' "$(run_sh 'echo $(id -u) $(id -g) $(id -G)')"
	is 0077 "$(run_sh 'umask')"
	user='{"uid":0,"gid":0}'
	is 0022 "$(run_sh 'umask')"
}

home_comes_from_passwd() {
	user='{"uid":1000,"gid":1000}'
	is /home/user "$(run_sh 'echo $HOME')"
	is /elsewhere "$(env='"HOME=/elsewhere"' run_sh 'echo $HOME')"
	user='{"uid":4242,"gid":1}'
	is / "$(run_sh 'echo $HOME')"
}

a_pipe_as_passwd_does_not_hang() {
	mv "$bundle/rootfs/etc/passwd" "$T/passwd"
	mkfifo "$bundle/rootfs/etc/passwd"
	got=$(run_sh 'echo $HOME')
	mv "$T/passwd" "$bundle/rootfs/etc/passwd"
	is / "$got"
}

capabilities_are_as_listed() {
	capabilities='{"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"],"inheritable":["CAP_KILL"],
		"ambient":["CAP_KILL"]}'
	out=$(known_caps "$(user='{"uid":1000,"gid":1000}' run_sh 'grep Cap /proc/self/status')")
	has 'CapBnd:	0000000000000021' "$out"
	# Without ambient capabilities only root's programs keep some.
	if grep -q CapAmb /proc/self/status; then
		has 'CapEff:	0000000000000020' "$out"
		has 'CapAmb:	0000000000000020' "$out"
	else
		has 'CapEff:	0000000000000000' "$out"
		has 'CapEff:	0000000000000021' "$(known_caps "$(run_sh 'grep Cap /proc/self/status')")"
	fi
	capabilities='{}'
	has 'CapBnd:	0000000000000000' "$(known_caps "$(run_sh 'grep CapBnd /proc/self/status')")"
}

missing_capabilities_are_a_warning() {
	caps='"CAP_KILL","CAP_NOPE"' config
	says 'warning: process.capabilities: cannot be granted here: some that no kernel knows' oci run -b "$bundle" "$id"
	needs_setpriv
	caps='"CAP_KILL","CAP_SYS_TIME"' args='"grep", "^Cap[PEB]", "/proc/self/status"' config
	out=$(setpriv --bounding-set -sys_time "$POUCH_BUILD/pouch-oci" --root "$oci_root" run -b "$bundle" "$id" 2>&1)
	has 'cannot be granted here: CAP_SYS_TIME' "$out"
	# What 2.6.32 shows of the bounding set has bits that it does not know.
	is 3 "$(echo "$out" | while IFS= read -r line; do known_caps "$line"; done | grep -c '0000000000000020$')"
}

no_new_privileges_is_set() {
	if ! grep -q NoNewPrivs /proc/self/status; then
		# CentOS 6 has it and does not show it; without it, it is refused.
		process='"noNewPrivileges":true'
		run_sh true || fails 'no_new_privs' run_sh true
		return
	fi
	has 1 "$(process='"noNewPrivileges":true' run_sh 'grep NoNewPrivs /proc/self/status')"
	has 0 "$(run_sh 'grep NoNewPrivs /proc/self/status')"
}

limits_are_set() {
	process='"rlimits":[{"type":"RLIMIT_NOFILE","soft":100,"hard":200},{"type":"RLIMIT_CORE","soft":0,"hard":0}]'
	is '100 200 0' "$(run_sh 'echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -c)')"
	process='"rlimits":[{"type":"RLIMIT_NOFILE","soft":300,"hard":200}]' config
	fails 'above the hard one' oci run -b "$bundle" "$id"
}

oom_score_is_set() {
	if [ -e /proc/self/oom_score_adj ]; then
		is 300 "$(process='"oomScoreAdj":300' run_sh 'cat /proc/self/oom_score_adj')"
	else
		# Later kernels that still have the file round in their own way.
		has "$(process='"oomScoreAdj":300' run_sh 'cat /proc/self/oom_adj')" '3 4'
	fi
	process='"oomScoreAdj":3000' config
	fails 'not between -1000 and 1000' oci run -b "$bundle" "$id"
}

working_directory_is_entered() {
	is /tmp "$(cwd=/tmp run_sh pwd)"
	is /made/for/it "$(cwd=/made/for/it run_sh pwd)"
	is /not/yet "$(readonly=true cwd=/not/yet run_sh pwd)"
	# What root may enter is entered, whoever the program runs as; runc holds it so.
	mkdir -p "$bundle/rootfs/private"
	chmod 700 "$bundle/rootfs/private"
	is 1000 "$(user='{"uid":1000,"gid":1000}' cwd=/private run_sh 'id -u')"
	cwd=relative config
	fails 'not an absolute path' oci run -b "$bundle" "$id"
	cwd=/etc/passwd config
	fails '/etc/passwd' oci run -b "$bundle" "$id"
}

leaked_directories_are_refused() {
	# fd 9 is a directory of the host; CVE-2024-21626
	for fd in 3 4 5 6 7 8 9; do
		cwd=/proc/self/fd/$fd args='"pwd"' config
		out=$(oci run -b "$bundle" "$id" 9</ 2>&1) && { echo "fd $fd: $out"; return 1; }
	done
	nothing_of "$id"
}

fds_do_not_leak() {
	args='"ls", "/proc/self/fd"' config
	is '0 1 2 3' "$(echo $(oci run -b "$bundle" "$id" 7</ 8</etc/passwd))"
}

fds_are_preserved() {
	args=$(sh_args 'cat <&3; cat <&4') config
	echo three >"$T/three"
	echo four >"$T/four"
	is 'three
four' "$(oci run --preserve-fds 2 -b "$bundle" "$id" 3<"$T/three" 4<"$T/four")"
	fails 'is not open' oci run --preserve-fds 40 -b "$bundle" "$id"
}

listen_fds_are_passed() {
	args=$(sh_args 'cat <&3; echo $LISTEN_FDS $LISTEN_PID') config
	echo three >"$T/three"
	is 'three
1 1' "$(LISTEN_FDS=1 oci run -b "$bundle" "$id" 3<"$T/three")"
}

scheduling_is_set() {
	process='"scheduler":{"policy":"SCHED_BATCH","nice":5},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":6}'
	is '5 3' "$(run_sh "awk '{print \$19, \$41}' /proc/self/stat")"
	has 'best-effort: prio 6' "$(run_sh 'ionice -p 1')"
	process='"scheduler":{"policy":"SCHED_NOPE"}' config
	fails 'SCHED_NOPE' oci run -b "$bundle" "$id"
}

personality_is_set() {
	linux='"personality":{"domain":"LINUX32"}'
	is i686 "$(run_sh 'uname -m')"
}

seccomp_filters() {
	linux='"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
		"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}'
	if ! grep -q Seccomp: /proc/self/status; then
		fails 'no system call filter' run_sh true
		return
	fi
	fails 'No space left' run_sh 'mkdir /tmp/x'
	# Hooks inside are under the filter too.
	hook_script
	process='"noNewPrivileges":true' hooks='"startContainer":[{"path":"/bin/mkdir","args":["mkdir","/tmp/x"]}]' args='"true"' config
	fails 'No space left' oci run -b "$bundle" "$id"
	process='"noNewPrivileges":true' fails 'No space left' run_sh 'mkdir /tmp/x'
	is '2' "$(run_sh 'sed -n "s/^Seccomp:\t//p" /proc/self/status')"
	args='"sleep","1000"' config
	oci run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1
	fails 'No space left' oci exec "$id" mkdir /tmp/x
	remove "$id"
	# The runtime's own check of the working directory does not need what the program may not do.
	linux='"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
		"syscalls":[{"names":["getcwd"],"action":"SCMP_ACT_ERRNO"}]}' args='"true"' config
	oci run -b "$bundle" "$id"
	linux='"seccomp":{"defaultAction":"SCMP_ACT_NOPE"}' config
	fails 'SCMP_ACT_NOPE' oci run -b "$bundle" "$id"
}

a_session_of_its_own() {
	is 1 "$(run_sh "awk '{print \$6}' /proc/1/stat")"
}

signals_start_unblocked() {
	is '0000000000000000' "$(run_sh 'grep SigBlk /proc/self/status' | awk '{print $2}')"
}

# ---- hooks

hook() {
	printf '{"path":"%s","args":["hook","%s"],"env":["PATH=/bin:/usr/bin"]%s}' "$T/hook" "$1" "${2-}"
}

hook_script() {
	cat >"$T/hook" <<-END
	#!/bin/sh
	state=\$(cat)
	where=outside
	! grep -q " $bundle/rootfs " /proc/self/mountinfo || where=inside
	echo "\$1 \$(echo "\$state" | sed 's/.*"status":"\([a-z]*\)".*/\1/') \$where" >>"$T/hook.log"
	END
	chmod 755 "$T/hook"
	: >"$T/hook.log"
	# startContainer hooks are looked for in the container
	mkdir -p "$bundle/rootfs$T"
	printf '#!/bin/sh\necho $2 $(cat | wc -c)\n' >"$bundle/rootfs/hook"
	chmod 755 "$bundle/rootfs/hook"
}

hooks_run_in_order() {
	hook_script
	hooks="\"prestart\":[$(hook prestart)],\"createRuntime\":[$(hook createRuntime)],\"createContainer\":[$(hook createContainer)],
		\"startContainer\":[{\"path\":\"/hook\",\"args\":[\"/hook\",\"x\"]}],\"poststart\":[$(hook poststart)],\"poststop\":[$(hook poststop)]"
	config
	oci run -b "$bundle" "$id"
	# runtime-spec, runtime.md#lifecycle: the environment is made, so it is no longer being created.
	is 'prestart created outside
createRuntime created outside
createContainer created inside
poststart running outside
poststop stopped outside' "$(cat "$T/hook.log")"
}

hooks_have_a_place_and_an_environment() {
	printf '#!/bin/sh\necho "$1 $(pwd) $FROM_RUNTIME" >>"%s"\n' "$T/hook.log" >"$T/hook"
	chmod 755 "$T/hook"
	: >"$T/hook.log"
	hooks="\"createRuntime\":[{\"path\":\"$T/hook\",\"args\":[\"hook\",\"a\"]},$(hook b)],\"createContainer\":[$(hook c)]" config
	(cd / && FROM_RUNTIME=yes oci run -b "$bundle" "$id")
	is "a / yes
b / 
c $bundle/rootfs " "$(cat "$T/hook.log")"
	printf '#!/bin/sh\necho "$FROM_RUNTIME" >/tmp/hook.env\n' >"$bundle/rootfs/bin/hook"
	chmod 755 "$bundle/rootfs/bin/hook"
	hooks='"startContainer":[{"path":"/bin/hook"}]' config
	FROM_RUNTIME=yes oci run -b "$bundle" "$id"
	is '' "$(cat "$bundle/rootfs/tmp/hook.env")"
}

hooks_that_die_are_named() {
	printf '#!/bin/sh\nkill -SEGV $$\n' >"$T/hook"
	chmod 755 "$T/hook"
	hooks="\"prestart\":[$(hook x)]" config
	fails 'error running hook: signal: segmentation fault' oci create -b "$bundle" "$id"
}

failing_hooks_undo() {
	printf '#!/bin/sh\necho because >&2\nexit 3\n' >"$T/hook"
	chmod 755 "$T/hook"
	for kind in prestart createRuntime createContainer; do
		hooks="\"$kind\":[$(hook x)]" config
		fails "$kind hook '$T/hook': error running hook: exit status 3: because" oci create -b "$bundle" "$id"
		nothing_of "$id"
	done
	# These only warn.
	for kind in poststart poststop; do
		hooks="\"$kind\":[$(hook x)]" config
		says "warning: $kind hook" oci run -b "$bundle" "$id"
		nothing_of "$id"
	done
}

hooks_have_a_timeout() {
	printf '#!/bin/sh\nsleep 100\n' >"$T/hook"
	chmod 755 "$T/hook"
	hooks="\"createRuntime\":[$(hook x ',"timeout":1')]" config
	fails 'no end after 1 s, killed' oci create -b "$bundle" "$id"
	nothing_of "$id"
	hooks="\"createRuntime\":[$(hook x ',"timeout":0')]" config
	fails 'timeout' oci create -b "$bundle" "$id"
	hooks='"createRuntime":[{"path":"/no/such/hook"}]' config
	fails '/no/such/hook' oci create -b "$bundle" "$id"
}

it 'sets user and groups' user_and_groups_are_set
it 'takes HOME from passwd' home_comes_from_passwd
it 'does not hang on a pipe called passwd' a_pipe_as_passwd_does_not_hang
it 'sets the capabilities' capabilities_are_as_listed
it 'only warns of capabilities that it cannot grant' missing_capabilities_are_a_warning
it 'sets no_new_privs' no_new_privileges_is_set
it 'sets resource limits' limits_are_set
it 'sets the score for memory shortage' oom_score_is_set
it 'enters the working directory' working_directory_is_entered
it 'refuses a working directory outside' leaked_directories_are_refused
it 'leaks no fd' fds_do_not_leak
it 'preserves fds' fds_are_preserved
it 'passes LISTEN_FDS on' listen_fds_are_passed
it 'sets scheduler and I/O priority' scheduling_is_set
it 'sets the personality' personality_is_set
it 'filters system calls' seccomp_filters
it 'starts a session' a_session_of_its_own
it 'blocks no signal' signals_start_unblocked
it 'runs hooks in order' hooks_run_in_order
it 'gives hooks a place and an environment' hooks_have_a_place_and_an_environment
it 'says which signal ended a hook' hooks_that_die_are_named
it 'undoes a create whose hook fails' failing_hooks_undo
it 'ends hooks that take too long' hooks_have_a_timeout
