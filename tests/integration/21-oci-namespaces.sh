#!/bin/sh
# pouch-oci: namespaces, names, ids, sysctl
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle

ns_inode() {
	stat -Lc %i "/proc/$1/ns/$2"
}

needs_files() {
	[ -e /proc/self/ns/net ] || skip 'this kernel shows no namespaces in /proc'
}

all_namespaces_are_new() {
	needs_files
	start_sleeper
	pid=$(pid_of "$id")
	for ns in pid net ipc uts mnt cgroup; do
		[ -e "/proc/self/ns/$ns" ] || continue
		[ "$(ns_inode "$pid" $ns)" != "$(ns_inode self $ns)" ] || { echo "$ns is the host's"; return 1; }
	done
	[ ! -e /proc/self/ns/user ] || is "$(ns_inode "$pid" user)" "$(ns_inode self user)"
	remove "$id"
}

only_listed_namespaces_are_new() {
	needs_files
	namespaces='{"type":"mount"},{"type":"uts"}' start_sleeper
	pid=$(pid_of "$id")
	for ns in pid net ipc; do
		is "$(ns_inode "$pid" $ns)" "$(ns_inode self $ns)"
	done
	remove "$id"
}

names_are_set() {
	is box "$(hostname=box run_sh hostname)"
	linux='"sysctl":{"kernel.domainname":"example.org"}'
	is example.org "$(run_sh 'cat /proc/sys/kernel/domainname')"
}

process_one_is_ours() {
	is 1 "$(run_sh 'echo $$')"
	hasnt "$T" "$(run_sh 'ps')"
}

loopback_is_up() {
	has LOOPBACK,UP "$(run_sh 'ip link show lo')"
}

joins_by_path() {
	needs_joins
	needs_files
	start_sleeper
	pid=$(pid_of "$id")
	first=$id
	id=${id}b
	namespaces="{\"type\":\"mount\"},{\"type\":\"pid\",\"path\":\"/proc/$pid/ns/pid\"},{\"type\":\"network\",\"path\":\"/proc/$pid/ns/net\"},
		{\"type\":\"ipc\",\"path\":\"/proc/$pid/ns/ipc\"},{\"type\":\"uts\"}"
	out=$(run_sh 'ps; stat -Lc %i /proc/self/ns/net')
	has 'sleep 1000' "$out"
	has "$(ns_inode "$pid" net)" "$out"
	oci delete -f "$first"
	nothing_of "$id"
}

a_wrong_namespace_is_refused() {
	namespaces='{"type":"mount"},{"type":"uts"},{"type":"network","path":"/proc/self/ns/uts"}' config
	if [ -e /proc/self/ns/net ]; then
		fails 'network namespace' oci run -b "$bundle" "$id"
	else
		fails "network namespace '/proc/self/ns/uts'" oci run -b "$bundle" "$id"
	fi
	namespaces='{"type":"mount"},{"type":"uts"},{"type":"network","path":"/proc/nope"}' config
	fails "/proc/nope" oci run -b "$bundle" "$id"
	namespaces='{"type":"mount"},{"type":"mount"},{"type":"uts"}' config
	fails "twice" oci run -b "$bundle" "$id"
	namespaces='{"type":"mount"},{"type":"frob"}' config
	fails "frob" oci run -b "$bundle" "$id"
	namespaces='{"type":"mount"}' config
	fails "needs a uts namespace" oci run -b "$bundle" "$id"
}

users='{"type":"user"},{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}'
maps='"uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":200000,"size":65536}]'

user_namespace_maps_ids() {
	[ -e /proc/self/ns/user ] || skip 'this kernel has no user namespaces'
	namespaces=$users linux=$maps
	chmod 755 "$T"
	out=$(run_sh 'id -u; cat /proc/self/uid_map /proc/self/gid_map; touch /dev/shm/x; stat -c %u:%g /dev/shm/x; echo x >/dev/null')
	has '100000' "$out"
	has '200000' "$out"
	has '0:0' "$out"
	args='"sleep", "1000"' config
	oci run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1
	is 100000 "$(stat -c %u "/proc/$(pid_of "$id")")"
	is 0 "$(oci exec "$id" id -u)"
	is 5:6 "$(oci exec -u 5:6 "$id" sh -c 'touch /dev/shm/y; stat -c %u:%g /dev/shm/y')"
	remove "$id"
}

user_namespace_binds_private_sources() {
	[ -e /proc/self/ns/user ] || skip 'this kernel has no user namespaces'
	mkdir -p "$T/private/inner"
	chmod 700 "$T/private"
	echo secret >"$T/private/inner/file"
	mkdir -p "$bundle/rootfs/m"
	namespaces=$users linux=$maps
	mounts="{\"destination\":\"/m\",\"type\":\"bind\",\"source\":\"$T/private/inner\",\"options\":[\"rbind\",\"ro\"]}"
	is secret "$(run_sh 'cat /m/file')"
	rm -rf "$T/private"
}

user_namespace_is_joined_by_path() {
	needs_joins
	[ -e /proc/self/ns/user ] || skip 'this kernel has no user namespaces'
	namespaces=$users linux=$maps start_sleeper
	pid=$(pid_of "$id")
	first=$id
	id=${id}b
	namespaces="{\"type\":\"user\",\"path\":\"/proc/$pid/ns/user\"},{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},
		{\"type\":\"network\",\"path\":\"/proc/$pid/ns/net\"}"
	out=$(run_sh 'cat /proc/self/uid_map; id -u; echo $$')
	oci delete -f "$first"
	has 100000 "$out"
	is 1 "$(echo "$out" | tail -n 1)"
	nothing_of "$id"
}

maps_need_a_user_namespace() {
	linux=$maps config
	fails 'need a user namespace' oci run -b "$bundle" "$id"
	namespaces=$users linux='"rootfsPropagation":"rprivate"' config
	fails 'needs uidMappings' oci run -b "$bundle" "$id"
}

time_offsets_count() {
	[ -e /proc/self/ns/time ] || skip 'this kernel has no time namespaces'
	namespaces="$default_namespaces,{\"type\":\"time\"}" linux='"timeOffsets":{"boottime":{"secs":1000000},"monotonic":{"secs":1000000}}'
	up=$(run_sh 'cut -d. -f1 /proc/uptime')
	[ "$up" -gt 1000000 ] || { echo "uptime $up"; return 1; }
	# The caller's own clock stays.
	[ "$(cut -d. -f1 /proc/uptime)" -lt 1000000 ]
}

sysctls_are_the_containers() {
	linux='"sysctl":{"net.ipv4.ip_forward":"1","kernel.shmmni":"1234","net.ipv4.conf.lo.forwarding":"0"}'
	is '1 1234' "$(run_sh 'echo $(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni)')"
	[ "$(cat /proc/sys/kernel/shmmni)" != 1234 ]
	linux='"sysctl":{"kernel.panic":"5"}' config
	fails 'would change the host' oci run -b "$bundle" "$id"
	linux='"sysctl":{"net.ipv4.ip_forward":"1"}' namespaces='{"type":"mount"},{"type":"uts"}' config
	fails 'needs a network namespace' oci run -b "$bundle" "$id"
	linux='"sysctl":{"net.no.such":"1"}' config
	fails "'net.no.such': this kernel does not have it" oci run -b "$bundle" "$id"
	nothing_of "$id"
}

cgroup_namespace_hides_the_path() {
	[ -e /proc/self/ns/cgroup ] || skip 'this kernel has no cgroup namespaces'
	is '' "$(run_sh 'cat /proc/self/cgroup' | grep "$id")"
}

it 'makes all namespaces that are listed' all_namespaces_are_new
it 'makes only those' only_listed_namespaces_are_new
it 'sets host and domain name' names_are_set
it 'runs the program as process 1' process_one_is_ours
it 'brings loopback up' loopback_is_up
it 'joins namespaces by path' joins_by_path
it 'refuses a path of another kind' a_wrong_namespace_is_refused
it 'maps ids in a user namespace' user_namespace_maps_ids
it 'binds sources that only root may reach' user_namespace_binds_private_sources
it 'joins a user namespace by path' user_namespace_is_joined_by_path
it 'refuses maps without a user namespace' maps_need_a_user_namespace
it 'shifts clocks in a time namespace' time_offsets_count
it 'sets sysctls of the container only' sysctls_are_the_containers
it 'hides the path of the control group' cgroup_namespace_hides_the_path
