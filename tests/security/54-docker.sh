#!/bin/sh
# Defaults beside docker's own: capabilities, system calls, masks, mounts, devices, limits of a container that nobody gave options
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"
needs_engine docker dockerd containerd
needs python3
[ "${POUCH_TEST_PRIVATE-}" = yes ] || skip 'dockerd gets a network namespace of its own, or none'

filters=$tools/filter-dump
[ -x "$filters" ] || skip "there is no $filters: make build/tests/filter-dump"
archive=$(image_archive) || skip 'busybox-static is not installed'
pouchd_start
image_load >/dev/null

export DOCKER_HOST="unix://$T/docker.sock" DOCKER_CONFIG="$T/docker-config"
dockerd --data-root "$T/docker" --exec-root "$T/docker-exec" -H "$DOCKER_HOST" -p "$T/docker.pid" --bridge none --iptables=false \
	--storage-driver vfs >"$T/dockerd.log" 2>&1 </dev/null &
dockerd=$!

docker_stop() {
	containers_of_docker=$(timeout 20 docker ps -aq 2>/dev/null)
	# shellcheck disable=SC2086 # one word a container
	[ -z "$containers_of_docker" ] || timeout 30 docker rm -f $containers_of_docker >/dev/null 2>&1
	kill $dockerd 2>/dev/null
	wait $dockerd 2>/dev/null
}
# shellcheck disable=SC2154 # the trap's own
trap 'docker_code=$?; docker_stop; (exit $docker_code); finish' EXIT
eventually 30 timeout 5 docker version >/dev/null || skip "dockerd does not start here: $(tail -n 1 "$T/dockerd.log" | cut -c 1-200)"
docker load -q -i "$archive" >/dev/null

# Both with no options but what spares a network.
docker run -d --name theirs --network none busybox sleep 1000 >"$T/said" 2>&1 || skip "docker runs nothing here: $(tail -n 1 "$T/said" | cut -c 1-200)"
pouch run -d --name ours --net none busybox sleep 1000 >/dev/null
theirs=$(docker inspect -f '{{.State.Pid}}' theirs)
ours=$(pouch inspect -f '{{.State.Pid}}' ours)

status() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

capabilities() {
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		a=$(status "$ours" $set)
		b=$(status "$theirs" $set)
		echo "$set: ours $a, theirs $b"
		python3 -c "import sys; sys.exit(int('${a:-0}', 16) & ~int('${b:-0}', 16) != 0)" || { echo "$set has more"; return 1; }
	done
	# The comparison can tell: with everything there is more.
	pouch run -d --name all --net none --privileged busybox sleep 1000
	a=$(status "$(pouch inspect -f '{{.State.Pid}}' all)" CapEff)
	pouch rm -f all
	! python3 -c "import sys; sys.exit(int('$a', 16) & ~int('$(status "$theirs" CapEff)', 16) != 0)"
	[ "$(status "$ours" NoNewPrivs)" -ge "$(status "$theirs" NoNewPrivs)" ]
	is "$(status "$theirs" Seccomp)" "$(status "$ours" Seccomp)"
}

# Calls that the profile of this docker does not know yet, or that later ones of docker's allow, with the reason why they give nothing that is
# not given already: number on x86_64 and x32, number on i386.
newer_calls() {
	cat <<-'END'
		303 341 name_to_handle_at: a handle opens nothing without open_by_handle_at, which stays denied
		310 347 process_vm_readv: what ptrace may, which is allowed
		311 348 process_vm_writev: as above
		329 380 pkey_mprotect: one's own memory
		330 381 pkey_alloc: as above
		331 382 pkey_free: as above
		451 451 cachestat: as mincore
		452 452 fchmodat2: fchmodat with flags
		453 453 map_shadow_stack: one's own memory
		454 454 futex_wake: a part of futex
		455 455 futex_wait: as above
		456 456 futex_requeue: as above
		457 457 statmount: what /proc/self/mountinfo says
		458 458 listmount: as above
		462 462 mseal: one's own memory
		463 463 setxattrat: setxattr below a directory
		464 464 getxattrat: as above
		465 465 listxattrat: as above
		466 466 removexattrat: as above
	END
}

calls() {
	exits_got=0
	"$filters" "$theirs" >"$T/theirs" 2>"$T/said" || exits_got=$?
	[ $exits_got = 0 ] || skip "what docker filters cannot be read here: $(cat "$T/said")"
	"$filters" "$ours" >"$T/ours"
	[ "$(wc -l <"$T/theirs")" -gt 1000 ]
	sort "$T/theirs" >"$T/theirs.sorted"
	sort "$T/ours" >"$T/ours.sorted"
	newer_calls | awk '{ print "x86_64", $1; print "x32", $1; print "i386", $2 }' >"$T/newer"
	comm -23 "$T/theirs.sorted" "$T/ours.sorted" | awk 'NR == FNR { newer[$1 " " $2] = 1; next } !(($1 " " $2) in newer)' "$T/newer" - >"$T/more"
	echo "docker denies $(wc -l <"$T/theirs"), we $(wc -l <"$T/ours"); allowed here only, but for the newer ones:"
	cut -d ' ' -f 1,2 "$T/more" | uniq -c | head -50
	[ ! -s "$T/more" ]
	# The comparison can tell: a process without a filter has none, and a profile that allows more is seen.
	fails '' "$filters" $$
	printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chroot"],"action":"SCMP_ACT_ERRNO"}]}' >"$T/profile.json"
	pouch run -d --name open --net none --security-opt "seccomp=$T/profile.json" busybox sleep 1000
	"$filters" "$(pouch inspect -f '{{.State.Pid}}' open)" | sort >"$T/open.sorted"
	pouch rm -f open
	[ -s "$T/open.sorted" ]
	[ "$(comm -23 "$T/theirs.sorted" "$T/open.sorted" | wc -l)" -gt 1000 ]
}

# "place:option,option" of each mount
mounts_of() {
	awk '{ print $5 ":" $6 }' "/proc/$1/mountinfo" | sort
}

mounts() {
	mounts_of "$theirs" >"$T/theirs"
	mounts_of "$ours" >"$T/ours"
	python3 - "$T/theirs" "$T/ours" "/proc/$ours/root" <<-'END'
	import os, stat, sys
	def read(file):
	    return {l.split(":")[0]: set(l.strip().split(":")[1].split(",")) for l in open(file)}
	theirs, ours = read(sys.argv[1]), read(sys.argv[2])
	bad = 0
	for place, options in sorted(theirs.items()):
	    if place not in ours:
	        # What is mounted there hides something, or protects it.
	        print("not mounted here:", place)
	        bad = 1
	        continue
	    for o in ("ro", "nosuid", "nodev", "noexec"):
	        # A mask over a file is a device: nothing to execute.
	        if o in ("nosuid", "noexec") and stat.S_ISCHR(os.stat(sys.argv[3] + place).st_mode):
	            continue
	        if o in options and o not in ours[place]:
	            print(place, "is not", o)
	            bad = 1
	for place in sorted(set(ours) - set(theirs)):
	    print("only here:", place, ",".join(sorted(ours[place])))
	sys.exit(bad)
	END
}

configuration() {
	find "$T/docker-exec" -name config.json -exec cat {} + >"$T/theirs.config"
	cat "$exec_root/$(pouch inspect -f '{{.Id}}' ours)/config.json" >"$T/ours.config"
	python3 - "$T/theirs.config" "$T/ours.config" <<-'END'
	import json, sys
	theirs, ours = (json.load(open(f)) for f in sys.argv[1:3])
	bad = 0
	for key in ("maskedPaths", "readonlyPaths"):
	    for path in theirs["linux"].get(key, []):
	        if path not in ours["linux"].get(key, []) + ours["linux"].get("maskedPaths", []):
	            print(key, "lacks", path)
	            bad = 1
	kinds = lambda c: {n["type"] for n in c["linux"]["namespaces"]}
	for kind in kinds(theirs) - kinds(ours):
	    print("no namespace of its own:", kind)
	    bad = 1
	for l in theirs["process"].get("rlimits", []):
	    mine = [m for m in ours["process"].get("rlimits", []) if m["type"] == l["type"]]
	    if not mine or mine[0]["hard"] > l["hard"]:
	        print("limit", l, "here", mine)
	        bad = 1
	sys.exit(bad)
	END
}

rules_of() {
	sort "$(cgroup_mount devices)$(sed -n 's/^[0-9]*:[^:]*devices[^:]*://p' "/proc/$1/cgroup")/devices.list"
}

devices() {
	docker exec theirs ls -a /dev | sort >"$T/theirs"
	pouch exec ours ls -a /dev | sort >"$T/ours"
	is '' "$(comm -13 "$T/theirs" "$T/ours")"
	# Those that the kernel lets open, of every kind that there could be
	[ -n "$(cgroup_mount devices)" ] || skip 'device rules cannot be read: no v1 devices controller'
	rules_of "$theirs" >"$T/theirs"
	rules_of "$ours" >"$T/ours"
	cat "$T/theirs"
	is '' "$(comm -13 "$T/theirs" "$T/ours")"
}

limits() {
	# Docker takes what dockerd has; pouchd raises only its own descriptors.
	sed 1d "/proc/$theirs/limits" | sort >"$T/theirs"
	sed 1d "/proc/$ours/limits" | sort >"$T/ours"
	comm -13 "$T/theirs" "$T/ours"
	is '' "$(comm -13 "$T/theirs" "$T/ours" | grep -v '^Max open files\|^Max processes\|^Max core' || :)"
}

it "gives docker's capabilities or fewer" capabilities
it "allows no system call that docker's filter denies" calls
it 'mounts what docker mounts, as restricted' mounts
it "masks and limits as docker's configuration" configuration
it 'has no more devices' devices
it 'has the same limits' limits
pouch rm -f ours >/dev/null
