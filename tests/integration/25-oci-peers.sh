#!/bin/sh
# pouch-oci under podman, containerd and docker
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle
tar -C "$bundle/rootfs" -cf "$T/rootfs.tar" .

cat >"$T/containers.conf" <<'END'
[containers]
default_ulimits = []
END

in_podman() {
	CONTAINERS_CONF=$T/containers.conf timeout 60 podman --root "$T/podman/root" --runroot "$T/podman/run" --storage-driver vfs \
		--cgroup-manager cgroupfs --events-backend none --runtime "$POUCH_BUILD/pouch-oci" "$@"
}

podman_works() {
	needs_engine podman conmon
	in_podman import "$T/rootfs.tar" bb >/dev/null
	run="in_podman run --cgroup-parent /$cgroup_parent --net none"
	is 'hello 5' "$($run --rm --user 5 bb sh -c 'echo hello $(id -u)')"
	exits 42 $run --rm bb sh -c 'exit 42'
	exits 127 $run --rm bb nope 2>/dev/null
	exits 126 $run --rm bb /etc 2>/dev/null
	$run -d --name one bb sh -c 'trap "exit 9" TERM; while :; do sleep 0.1; done' >/dev/null
	is pouch "$(in_podman exec -e X=pouch one sh -c 'echo $X')"
	in_podman pause one
	in_podman unpause one
	in_podman stop one >/dev/null
	is 9 "$(in_podman inspect -f '{{.State.ExitCode}}' one)"
	in_podman rm one >/dev/null
}

containerd_works() {
	needs_engine containerd ctr
	skip_without_space
	cat >"$T/containerd.toml" <<-END
	version = 2
	root = "$T/ctd/root"
	state = "$T/ctd/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
	[grpc]
	address = "$T/ctd.sock"
	END
	containerd -c "$T/containerd.toml" >"$T/containerd.log" 2>&1 </dev/null &
	daemon=$!
	in_containerd && got=0 || got=$?
	kill $daemon
	process_ends $daemon 10
	rm -f "$T/ctd.sock"*
	return $got
}

# A containerd-shim listens below the state directory, whose path a unix socket must be able to hold.
skip_without_space() {
	[ ${#T} -lt 60 ] || skip "the path of $T is too long for containerd's sockets"
}

c() {
	timeout 60 ctr -a "$T/ctd.sock" "$@"
}

in_containerd() {
	eventually 10 c version || return 1
	image=$(image_archive) || skip 'busybox-static is not installed'
	c image import --snapshotter native "$image" >/dev/null || return 1
	image=$(c image ls -q | head -n 1)
	run="c run --snapshotter native --cgroup /$cgroup_parent/ctr$$ --runc-binary $POUCH_BUILD/pouch-oci"
	is hello "$($run --rm "$image" a$$ echo hello)" || return 1
	$run -d "$image" b$$ sleep 1000 || return 1
	exits 4 c task exec --exec-id x b$$ sh -c 'exit 4' || return 1
	c task pause b$$ && c task resume b$$ || return 1
	c task kill -s 9 b$$ || return 1
	eventually 5 c task rm b$$ || :
	c container rm b$$
}

docker_works() {
	needs_engine dockerd docker containerd
	cat >"$T/docker.json" <<-END
	{"data-root": "$T/dk", "exec-root": "$T/dx", "pidfile": "$T/docker.pid", "hosts": ["unix://$T/dk.sock"], "bridge": "none",
	 "iptables": false, "storage-driver": "vfs", "runtimes": {"pouch": {"path": "$POUCH_BUILD/pouch-oci"}}}
	END
	dockerd --config-file "$T/docker.json" >"$T/dockerd.log" 2>&1 </dev/null &
	daemon=$!
	in_docker && got=0 || got=$?
	kill $daemon
	process_ends $daemon 20
	return $got
}

d() {
	timeout 60 docker -H "unix://$T/dk.sock" "$@"
}

in_docker() {
	eventually 30 d version || return 1
	d import "$T/rootfs.tar" bb >/dev/null || return 1
	run="d run --runtime pouch --net none --cgroup-parent /$cgroup_parent"
	is '5 2' "$($run --rm --user 5 bb /bin/sh -c 'echo $(id -u) $(sed -n "s/^Seccomp:.//p" /proc/self/status)')" || return 1
	exits 127 $run --rm bb nope 2>/dev/null || return 1
	$run -d --name one -m 64m bb /bin/sleep 1000 >/dev/null || return 1
	exits 3 d exec one /bin/sh -c 'exit 3' || return 1
	d pause one >/dev/null && d unpause one >/dev/null || return 1
	d update -m 80m --memory-swap -1 one >/dev/null || return 1
	d rm -f one >/dev/null
}

it 'serves podman' podman_works
it 'serves containerd' containerd_works
it 'serves docker' docker_works
