#!/bin/sh
# pouch-oci on kernels that lack something: what stands in for it, and what is refused before anything is touched
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle
sysfs='{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]}'
cgroups='{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["ro","nosuid","noexec","nodev"]}'

# hiding NAMES COMMAND...: with features that this kernel shall be taken to lack, besides those that it is taken to lack already
hiding() {
	(
		export POUCH_HIDE="${POUCH_HIDE:+$POUCH_HIDE,}$1"
		shift
		"$@"
	)
}

no_set_user_id_stands_in_for_no_new_privs() {
	process='"noNewPrivileges":true'
	is '' "$(hiding no_new_privs run_sh 'grep -v nosuid /proc/self/mountinfo; true')"
	process='"noNewPrivileges":false'
	hasnt nosuid "$(hiding no_new_privs run_sh 'cat /proc/self/mountinfo' | cut -d' ' -f5,6 | grep '^/ ')"
}

later_mounts_cannot_come_in() {
	process='"noNewPrivileges":true'
	is '' "$(hiding no_new_privs run_sh 'grep -e shared: -e master: /proc/self/mountinfo; true')"
	mkdir "$T/volume"
	mounts='{"destination":"/v","type":"bind","source":"'$T/volume'","options":["bind","rslave"]}' config
	fails 'nothing stands in for it with a mount that follows' hiding no_new_privs oci run -b "$bundle" "$id"
	nothing_of "$id"
}

an_exec_gets_what_its_container_has() {
	# Hidden from the start: an agent that knows of it would give it.
	process='"noNewPrivileges":true' hiding no_new_privs start_sleeper
	is in "$(hiding no_new_privs oci exec --no-new-privs "$id" echo in)"
	remove "$id"
	hiding no_new_privs start_sleeper
	fails 'created without it' hiding no_new_privs oci exec --no-new-privs "$id" echo in
	is in "$(hiding no_new_privs oci exec "$id" echo in)"
	remove "$id"
}

a_filter_that_cannot_be_is_refused() {
	linux='"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}' config
	fails 'linux.seccomp: not available here' hiding seccomp,seccomp-filter oci run -b "$bundle" "$id"
	nothing_of "$id"
}

labels_without_their_module_are_refused() {
	process='"apparmorProfile":"some"' config
	fails 'process.apparmorProfile: not available here' hiding apparmor oci run -b "$bundle" "$id"
	process='"selinuxLabel":"a:b:c:d"' config
	fails 'process.selinuxLabel: not available here' hiding selinux oci run -b "$bundle" "$id"
	nothing_of "$id"
}

unknown_sysctls_are_refused() {
	linux='"sysctl":{"net.core.no_such_thing":"1"}' config
	fails "'net.core.no_such_thing': this kernel does not have it" oci run -b "$bundle" "$id"
	nothing_of "$id"
}

hosts_terminals_are_never_shown() {
	is '' "$(hiding devpts-newinstance run_sh 'grep devpts /proc/self/mountinfo; true')"
	terminal=true config
	fails 'process.terminal: not available here' hiding devpts-newinstance oci run -b "$bundle" "$id"
	nothing_of "$id"
	terminal=false
	start_sleeper
	fails 'process.terminal: not available here' hiding devpts-newinstance oci exec -t "$id" true
	remove "$id"
}

a_devpts_is_always_a_new_one() {
	before=$(awk '$3 == "devpts" { print $4 }' /proc/self/mounts)
	no_proc_mounts='{"destination":"/dev","type":"tmpfs","source":"tmpfs"},{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["nosuid","noexec","mode=0600"]}'
	hasnt "$(stat -c %d /dev/pts)" "$(run_sh 'stat -c %d /dev/pts')"
	is "$before" "$(awk '$3 == "devpts" { print $4 }' /proc/self/mounts)"
}

control_groups_are_shown_without_a_place_in_sysfs() {
	mounts=$sysfs,$cgroups
	shown=$(run_sh 'ls /sys/fs/cgroup')
	[ -n "$shown" ] || skip 'this host has no control groups'
	is "$shown" "$(hiding sys-fs-cgroup run_sh 'ls /sys/fs/cgroup')"
	is "$(run_sh 'ls /sys/fs')" "$(hiding sys-fs-cgroup run_sh 'ls /sys/fs')"
	has 'Read-only file system' "$(hiding sys-fs-cgroup run_sh 'mkdir /sys/fs/new 2>&1; true')"
	has 'tmpfs' "$(hiding sys-fs-cgroup run_sh 'grep " /sys/fs " /proc/self/mountinfo')"
	is '' "$(our_mounts)"
}

oom_adj_stands_in_for_oom_score_adj() {
	[ -e /proc/self/oom_adj ] || skip 'this kernel has no oom_adj'
	# Kernels that have both translate it there and back.
	case $(process='"oomScoreAdj":500' hiding oom_score_adj run_sh 'cat /proc/self/oom_adj') in
	6 | 7) ;;
	*) return 1 ;;
	esac
	is 15 "$(process='"oomScoreAdj":1000' hiding oom_score_adj run_sh 'cat /proc/self/oom_adj')"
	is 0 "$(process='"oomScoreAdj":0' hiding oom_score_adj run_sh 'cat /proc/self/oom_adj')"
}

# The second call of a bind mount sets all flags anew: those that were there must be among them.
read_only_binds_lose_no_flag() {
	mkdir -p "$T/from"
	mount -t tmpfs -o nosuid,nodev,noexec from "$T/from"
	mounts='{"destination":"/v","type":"bind","source":"'$T/from'","options":["bind","ro"]}'
	got=$(hiding mount_setattr,statfs-flags run_sh 'grep " /v " /proc/self/mountinfo')
	umount "$T/from"
	for flag in ro nosuid nodev noexec; do
		has "$flag," "$(echo "$got" | cut -d' ' -f6),"
	done
}

it 'keeps set-user-ID programs from giving rights without no_new_privs' no_set_user_id_stands_in_for_no_new_privs
it 'lets no later mount undo that' later_mounts_cannot_come_in
it 'gives an exec no less than its container has' an_exec_gets_what_its_container_has
it 'refuses a filter that cannot be' a_filter_that_cannot_be_is_refused
it 'refuses labels without their module' labels_without_their_module_are_refused
it 'refuses a sysctl that the kernel does not have' unknown_sysctls_are_refused
it 'never shows the terminals of the host' hosts_terminals_are_never_shown
it 'makes a devpts of its own whatever the options are' a_devpts_is_always_a_new_one
it 'shows control groups where sysfs has no place for them' control_groups_are_shown_without_a_place_in_sysfs
it 'translates the OOM score' oom_adj_stands_in_for_oom_score_adj
it 'loses no flag of a mount that becomes read-only' read_only_binds_lose_no_flag
