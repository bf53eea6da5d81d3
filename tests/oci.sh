# shellcheck shell=sh disable=SC2034,SC2154 # variables of lib.sh and of the tests
# oci.sh - words for tests of pouch-oci; after lib.sh
#
#	bundle
#	args='"id", "-u"' config
#	is 0 "$(oci run "$id")"

oci_root=$T/oci
bundle=$T/bundle
# A name that says to whom what is left belongs.
id=c$$

[ "$(id -u)" = 0 ] || skip 'pouch-oci is tested as root'
[ -x "$POUCH_BUILD/pouch-oci" ] || skip "there is no pouch-oci in $POUCH_BUILD"
[ -x /bin/busybox ] || skip 'busybox-static is not installed'

oci() {
	timeout "${POUCH_SECONDS:-30}" "$POUCH_BUILD/pouch-oci" --root "$oci_root" "$@"
}

# bundle [DIR]: a root file system of busybox
bundle() {
	bundle=${1:-$T/bundle}
	[ ! -e "$bundle" ] || return 0
	mkdir -p "$bundle/rootfs/bin"
	for d in proc sys dev tmp etc; do
		mkdir "$bundle/rootfs/$d"
	done
	cp /bin/busybox "$bundle/rootfs/bin/"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || ln -s busybox "$bundle/rootfs/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$bundle/rootfs/etc/passwd"
	echo 'user:x:1000:1000::/home/user:/bin/sh' >>"$bundle/rootfs/etc/passwd"
	chmod 755 "$bundle" "$bundle/rootfs"
}

default_namespaces='{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}'
# Asked for where there are none, they would be refused.
[ ! -e /proc/self/ns/cgroup ] || default_namespaces=$default_namespaces',{"type":"cgroup"}'
default_caps='"CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"'
no_proc_mounts='{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","strictatime","mode=755","size=65536k"]},
	{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]},
	{"destination":"/dev/shm","type":"tmpfs","source":"shm","options":["nosuid","noexec","nodev","mode=1777","size=65536k"]}'

# [NAME=JSON...] config: writes config.json; the names are the variables below
config() {
	caps=${caps-$default_caps}
	cat >"$bundle/config.json" <<-END
	{
	  "ociVersion": "1.0.2",
	  "process": {
	    "terminal": ${terminal-false},
	    "user": ${user-{\"uid\": 0, \"gid\": 0\}},
	    "args": [${args-\"true\"}],
	    "env": ["PATH=/bin:/sbin"${env+, $env}],
	    "cwd": "${cwd-/}",
	    "capabilities": ${capabilities-{\"bounding\": [$caps], \"effective\": [$caps], \"permitted\": [$caps]\}}
	    ${process+, $process}
	  },
	  "root": {"path": "rootfs", "readonly": ${readonly-false}},
	  "hostname": "${hostname-pouch}",
	  "mounts": [
	    {"destination": "/proc", "type": "proc", "source": "proc"},
	    $no_proc_mounts
	    ${mounts+, $mounts}
	  ],
	  ${hooks+\"hooks\": {$hooks\},}
	  "annotations": {"org.test": "yes"},
	  "linux": {
	    "cgroupsPath": "/$cgroup_parent/$id",
	    "resources": {"devices": [{"allow": false, "access": "rwm"}]${resources+, $resources}},
	    "namespaces": [${namespaces-$default_namespaces}],
	    "maskedPaths": [${masked-\"/proc/kcore\", \"/proc/keys\", \"/proc/acpi\", \"/proc/timer_list\"}],
	    "readonlyPaths": [${readonly_paths-\"/proc/sys\", \"/proc/bus\"}]
	    ${linux+, $linux}
	  }
	}
	END
}

# sh_args SCRIPT: the JSON for args='...' of a shell script without quotes or backslashes that JSON would mind
sh_args() {
	printf '"sh", "-c", "%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g' | tr '\n\t' '; ')"
}

# run_sh SCRIPT: runs it in a container of the present settings
run_sh() {
	args=$(sh_args "$1") config
	oci run -b "$bundle" "$id"
}

# start_sleeper: a container that runs until it is killed
start_sleeper() {
	args='"sleep", "1000"' config
	oci run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1 || oci run -d -b "$bundle" "$id" </dev/null
}

status_of() {
	oci state "$1" | sed -n 's/^ *"status": "\(.*\)",*/\1/p'
}

pid_of() {
	oci state "$1" | sed -n 's/^ *"pid": \([0-9]*\),*/\1/p'
}

status_is() {
	is "$2" "$(status_of "$1")"
}

# has_agent ID: it was made where setns does not work
has_agent() {
	[ -S "$oci_root/$1/agent.sock" ]
}

# nothing_of ID: no state, no cgroup, no mount
nothing_of() {
	[ ! -e "$oci_root/$1" ] || { echo "$oci_root/$1 is left"; return 1; }
	is '' "$(in_cgroups -type d -name "$1")"
	is '' "$(our_mounts)"
}

remove() {
	oci delete -f "$1"
}
