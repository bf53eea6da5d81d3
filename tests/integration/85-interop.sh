#!/bin/sh
# Other engines' tools work with ours: podman and containerd run pouch-oci; docker, podman and skopeo exchange images with pouchd
. "$(dirname "$0")/../lib.sh"

export DOCKER_HOST="unix://$T/docker.sock"
docker=/usr/bin/docker
[ -x "$docker" ] || docker=docker
# Not named podman: needs_engine would take it for the program, which asks for more than a machine without CAP_SYS_RESOURCE may give.
own_podman() {
	podman --root "$T/podman/root" --runroot "$T/podman/run" --tmpdir "$T/podman/tmp" --cgroup-manager cgroupfs --log-level error "$@"
}
podman_run() {
	own_podman --runtime "$POUCH_BUILD/pouch-oci" run --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none "$@"
}

archive=$(image_archive) || skip 'busybox-static is not installed'

podman_runs() {
	needs_engine podman
	own_podman load -q -i "$archive"
	says 'hello from inside' podman_run --rm localhost/busybox echo 'hello from inside'
	exits 7 podman_run --rm localhost/busybox sh -c 'exit 7'
	podman_run -d --name long -m 64m localhost/busybox sleep 1000
	says 'inside too' own_podman --runtime "$POUCH_BUILD/pouch-oci" exec long echo 'inside too'
	says running own_podman inspect -f '{{.State.Status}}' long
	own_podman --runtime "$POUCH_BUILD/pouch-oci" pause long
	own_podman --runtime "$POUCH_BUILD/pouch-oci" unpause long
	own_podman --runtime "$POUCH_BUILD/pouch-oci" stop -t 1 long
	own_podman --runtime "$POUCH_BUILD/pouch-oci" rm long
}
it 'serves podman as its runtime' podman_runs

containerd_start() {
	needs_engine containerd ctr
	[ ! -e "$T/containerd.pid" ] || return 0
	printf 'version = 2\nroot = "%s"\nstate = "%s"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "%s"\n' \
		"$T/containerd" "$T/containerd-run" "$T/containerd.sock" >"$T/containerd.toml"
	containerd -c "$T/containerd.toml" >"$T/containerd.log" 2>&1 </dev/null &
	echo $! >"$T/containerd.pid"
	eventually 20 ctr -a "$T/containerd.sock" version
}

containerd_runs() {
	containerd_start
	ctr -a "$T/containerd.sock" image import --base-name docker.io/library/busybox "$archive"
	image=$(ctr -a "$T/containerd.sock" image ls -q | head -n 1)
	says 'hello from ctr' ctr -a "$T/containerd.sock" run --rm --runc-binary "$POUCH_BUILD/pouch-oci" "$image" c1 echo 'hello from ctr'
	ctr -a "$T/containerd.sock" run -d --runc-binary "$POUCH_BUILD/pouch-oci" "$image" c2 sleep 1000
	says RUNNING ctr -a "$T/containerd.sock" task ls
	says 'inside too' ctr -a "$T/containerd.sock" task exec --exec-id e1 c2 echo 'inside too'
	ctr -a "$T/containerd.sock" task kill -s 9 c2
	eventually 10 task_stopped c2
	ctr -a "$T/containerd.sock" task rm c2 || :
	ctr -a "$T/containerd.sock" container rm c2
}

task_stopped() {
	! ctr -a "$T/containerd.sock" task ls | grep "^$1 .*RUNNING"
}
it 'serves containerd as its runtime' containerd_runs
[ ! -e "$T/containerd.pid" ] || kill "$(cat "$T/containerd.pid")" 2>/dev/null

it 'starts' pouchd_start
it 'loads the image' image_load

skopeo_and_back() {
	needs skopeo docker-registry
	registry_start
	skopeo copy -q --insecure-policy --dest-tls-verify=false "docker-archive:$archive" "docker://$registry/sk/busybox:one"
	pouch pull "$registry/sk/busybox:one"
	says hi pouch run --rm --net none "$registry/sk/busybox:one" echo hi
	pouch save -o "$T/saved.tar" "$registry/sk/busybox:one"
	skopeo copy -q --insecure-policy --dest-tls-verify=false "docker-archive:$T/saved.tar" "docker://$registry/sk/busybox:two"
	pouch rmi "$registry/sk/busybox:one"
	pouch pull "$registry/sk/busybox:two"
	says hi pouch run --rm --net none "$registry/sk/busybox:two" echo hi
	pouch rmi "$registry/sk/busybox:two"
	registry_stop
}
it 'pulls what skopeo pushed, and skopeo reads what save wrote' skopeo_and_back

layout_loads() {
	needs skopeo
	skopeo copy -q --insecure-policy "docker-archive:$archive" "oci:$T/layout:laid:out"
	tar -cf "$T/layout.tar" -C "$T/layout" .
	pouch load -i "$T/layout.tar"
	gzip -k "$T/layout.tar"
	pouch load -i "$T/layout.tar.gz"
	pouch load <"$T/layout.tar.gz"
	says busybox pouch images
}
it 'loads an OCI layout made by skopeo, plain, compressed and from standard input' layout_loads

podman_exchanges() {
	needs_engine podman
	pouch tag busybox:latest exchanged:v1
	pouch save -o "$T/exchanged.tar" exchanged:v1
	own_podman load -q -i "$T/exchanged.tar"
	own_podman save -q -o "$T/podman.tar" exchanged:v1
	pouch rmi exchanged:v1
	pouch load -i "$T/podman.tar"
	says exchanged pouch images
	own_podman save -q --format oci-archive -o "$T/podman-oci.tar" exchanged:v1
	pouch load -i "$T/podman-oci.tar"
	own_podman rmi -f exchanged:v1
}
it 'exchanges images with podman' podman_exchanges

dockerd_start() {
	needs_engine dockerd
	dockerd --data-root "$T/docker" --exec-root "$T/docker-exec" -H "$DOCKER_HOST" -p "$T/docker.pid" --bridge none --iptables=false \
		>"$T/dockerd.log" 2>&1 </dev/null &
	eventually 30 "$docker" version || { tail -n 3 "$T/dockerd.log"; skip 'dockerd does not start here'; }
}

docker_exchanges() {
	dockerd_start
	pouch tag busybox:latest todocker:v1
	pouch save -o "$T/todocker.tar" todocker:v1
	says todocker:v1 "$docker" load -i "$T/todocker.tar"
	"$docker" tag todocker:v1 fromdocker:v2
	"$docker" save -o "$T/fromdocker.tar" fromdocker:v2
	pouch load -i "$T/fromdocker.tar"
	says fromdocker pouch images
	says hi pouch run --rm --net none fromdocker:v2 echo hi
}
it 'exchanges images with docker' docker_exchanges
[ ! -e "$T/docker.pid" ] || { kill "$(cat "$T/docker.pid")"; process_ends "$(cat "$T/docker.pid")" 20; }

docker_client() {
	needs "$docker"
	ours="$docker -H unix://$socket"
	# shellcheck disable=SC2086 # two options
	{
		says hello $ours run --rm --network none busybox echo hello
		exits 3 $ours run --rm --network none busybox sh -c 'exit 3'
		$ours run -d --name dc --network none busybox sh -c 'echo line; exec sleep 1000'
		says dc $ours ps
		says line $ours logs dc
		says inside $ours exec dc echo inside
		says '"Running": true' $ours inspect dc
		says busybox $ours images
		$ours stop -t 1 dc
		$ours rm dc
	}
}
it 'answers the docker client' docker_client
