#!/bin/sh
# pouch-oci under podman, containerd and docker: each verb that they have for a container, and for each the proof that it was pouch-oci that
# was asked, where the peer asks a runtime for it at all
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"

bundle
tar -C "$bundle/rootfs" -cf "$T/rootfs.tar" .

cat >"$T/containers.conf" <<'END'
[containers]
default_ulimits = []
END

# What the peers call: it notes each call before it becomes pouch-oci.
cat >"$T/pouch-oci" <<END
#!/bin/sh
echo " \$* " >>"$T/calls"
exec "$POUCH_BUILD/pouch-oci" "\$@"
END
chmod 755 "$T/pouch-oci"

# asks VERB COMMAND...: succeeds, and its peer asks pouch-oci for VERB meanwhile
asks() {
	asks_verb=$1
	shift
	: >"$T/calls"
	"$@" || { echo "'$*' failed ($?)"; return 1; }
	was_asked "$asks_verb"
}

was_asked() {
	grep -q " $1 " "$T/calls" || { echo "pouch-oci was not asked to $1, but:"; cat "$T/calls"; return 1; }
}

# is_up PEER: the rest of its tests say why they cannot run, when it did not start
is_up() {
	[ -e "$T/$1.up" ] || { command -v "$1" >/dev/null && skip "the first test of $1 did not pass, and says why"; } || skip "$1 is not installed"
}

# daemon_stops NAME SECONDS
daemon_stops() {
	[ -e "$T/$1.pid" ] || skip "$1 was not started"
	pid=$(cat "$T/$1.pid")
	kill "$pid"
	process_ends "$pid" "$2"
}

# A container that says what it gets, on its output and with its exit status.
service='trap "exit 9" TERM; trap "echo usr1" USR1; echo started; while :; do sleep 0.1; done'
# It ends once its terminal has the size of the terminal before it and a line was typed there.
dialogue='test -t 0 && echo ready; read x; echo "got-$x"; until stty size | grep -q "31 97"; do sleep 0.1; done; echo sized; exit 6'

# converses COMMAND...: it carries $dialogue on
converses() {
	needs python3
	exits 6 "$tests/terminal" --size 31x97 --timeout 40 expect:ready 'send:word\r' expect:got-word expect:sized -- "$@" </dev/null >"$T/dialogue"
}

# ---- podman --------------------------------------------------------------------------------------------------------------------

podman="env CONTAINERS_CONF=$T/containers.conf podman --root $T/podman/root --runroot $T/podman/run --storage-driver vfs
	--cgroup-manager cgroupfs --events-backend none --runtime $T/pouch-oci"
podman_run="run --cgroup-parent /$cgroup_parent --net none --log-driver k8s-file"

p() {
	timeout 60 $podman "$@"
}

podman_starts() {
	needs_engine podman conmon
	p import "$T/rootfs.tar" bb >/dev/null
	asks create p $podman_run -d --name one bb sh -c "$service" >/dev/null
	was_asked start
	is "$T/pouch-oci" "$(p inspect -f '{{.OCIRuntime}}' one)"
	touch "$T/podman.up"
}

podman_runs() {
	is_up podman
	is 'hello 5' "$(p $podman_run --rm --user 5 bb sh -c 'echo hello $(id -u)')"
	was_asked delete
	exits 42 p $podman_run --rm bb sh -c 'exit 42'
	exits 127 p $podman_run --rm bb nope
	exits 126 p $podman_run --rm bb /etc
}

podman_execs() {
	is_up podman
	is pouch "$(p exec -e X=pouch one sh -c 'echo $X')"
	: >"$T/calls"
	exits 4 p exec one sh -c 'exit 4'
	was_asked exec
}

podman_has_terminals() {
	is_up podman
	converses $podman $podman_run --rm -it bb sh -c "$dialogue"
	converses $podman exec -it one sh -c "$dialogue"
}

podman_logs() {
	is_up podman
	asks kill p kill -s USR1 one >/dev/null
	eventually 10 says usr1 p logs one
	says started p logs one
}

podman_measures() {
	is_up podman
	has one "$(p stats --no-stream --format '{{.Name}} {{.MemUsage}}' one)"
	has sleep "$(p top one args)"
}

podman_pauses() {
	is_up podman
	asks pause p pause one
	is paused "$(p inspect -f '{{.State.Status}}' one)"
	fails "only create exec sessions on running containers" p exec one true
	asks resume p unpause one
	is running "$(p inspect -f '{{.State.Status}}' one)"
}

podman_updates() {
	is_up podman
	[ -n "$(cgroup_mount memory)" ] || skip 'the limit is read from a version 1 hierarchy with the memory controller'
	p update --help >/dev/null 2>&1 || skip 'this podman has no update'
	asks update p update --memory 77m one >/dev/null
	in_cgroups -path "*/$cgroup_parent/*" -name memory.limit_in_bytes -exec cat {} + >"$T/limits"
	has $((77 << 20)) "$(cat "$T/limits")"
}

# restarts CLIENT: p or d
restarts() {
	before=$("$1" inspect -f '{{.State.Pid}}' one)
	asks start "$1" restart -t 5 one >/dev/null
	is running "$("$1" inspect -f '{{.State.Status}}' one)"
	hasnt "[$before]" "[$("$1" inspect -f '{{.State.Pid}}' one)]"
}

podman_restarts() {
	is_up podman
	restarts p
}

podman_stops_and_removes() {
	is_up podman
	eventually 10 says 'started' p logs --tail 1 one
	asks kill p stop one >/dev/null
	is 9 "$(p inspect -f '{{.State.ExitCode}}' one)"
	p start one >/dev/null
	asks delete p rm -f -t 0 one >/dev/null
	fails 'no such container' p inspect --type container one
	is '' "$(our_cgroups | grep libpod-)"
}

# ---- containerd ----------------------------------------------------------------------------------------------------------------

# A containerd-shim listens below the state directory, whose path a unix socket must be able to hold.
skip_without_space() {
	[ ${#T} -lt 60 ] || skip "the path of $T is too long for containerd's sockets"
}

ctr="ctr -a $T/ctd.sock"
ctr_run="run --snapshotter native --runc-binary $T/pouch-oci"

c() {
	timeout 60 $ctr "$@"
}

containerd_starts() {
	needs_engine containerd ctr
	skip_without_space
	image=$(image_archive) || skip 'busybox-static is not installed'
	cat >"$T/containerd.toml" <<-END
	version = 2
	root = "$T/ctd/root"
	state = "$T/ctd/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
	[grpc]
	address = "$T/ctd.sock"
	END
	containerd -c "$T/containerd.toml" >"$T/containerd.log" 2>&1 </dev/null &
	echo $! >"$T/containerd.pid"
	eventually 20 c version
	c image import --snapshotter native "$image" >/dev/null
	c image ls -q | head -n 1 >"$T/containerd.image"
	asks create c $ctr_run --cgroup "/$cgroup_parent/ctr" -d --log-uri "file://$T/ctr.log" "$(cat "$T/containerd.image")" "b$$" sh -c "$service"
	was_asked start
	touch "$T/containerd.up"
}

containerd_runs() {
	is_up containerd
	image=$(cat "$T/containerd.image")
	is hello "$(c $ctr_run --cgroup "/$cgroup_parent/ctr-other" --rm "$image" "a$$" echo hello)"
	was_asked delete
	exits 5 c $ctr_run --cgroup "/$cgroup_parent/ctr-other" --rm "$image" "a$$" sh -c 'exit 5'
	fails 'executable file not found' c $ctr_run --cgroup "/$cgroup_parent/ctr-other" --rm "$image" "a$$" nope
}

containerd_execs() {
	is_up containerd
	: >"$T/calls"
	exits 4 c task exec --exec-id x "b$$" sh -c 'exit 4'
	was_asked exec
}

containerd_has_terminals() {
	is_up containerd
	converses $ctr $ctr_run --cgroup "/$cgroup_parent/ctr-other" --rm -t "$(cat "$T/containerd.image")" "a$$" sh -c "$dialogue"
	converses $ctr task exec -t --exec-id t "b$$" sh -c "$dialogue"
}

containerd_logs() {
	is_up containerd
	asks kill c task kill -s USR1 "b$$"
	eventually 10 grep -q usr1 "$T/ctr.log"
	grep -q started "$T/ctr.log"
}

containerd_measures() {
	is_up containerd
	has memory "$(c task metrics "b$$")"
	: >"$T/calls"
	has "$(c task ls | awk -v id="b$$" '$1 == id { print $2 }')" "$(c task ps "b$$")"
	was_asked ps
}

containerd_pauses() {
	is_up containerd
	asks pause c task pause "b$$"
	has PAUSED "$(c task ls)"
	asks resume c task resume "b$$"
	has RUNNING "$(c task ls)"
}

ctr_task_ended() {
	has STOPPED "$(c task ls)"
}

containerd_restarts_and_removes() {
	is_up containerd
	asks kill c task kill -s 9 "b$$"
	eventually 10 ctr_task_ended
	: >"$T/calls"
	says 'exit code 137' c task rm "b$$"
	was_asked delete
	asks create c task start -d "b$$"
	has RUNNING "$(c task ls)"
	c task rm -f "b$$"
	c container rm "b$$"
	is '' "$(c container ls -q)"
	is '' "$(our_cgroups | grep '/ctr$')"
}

containerd_stops() {
	daemon_stops containerd 10
	rm -f "$T/ctd.sock"*
}

# ---- docker --------------------------------------------------------------------------------------------------------------------

docker="docker -H unix://$T/dk.sock"
docker_run="run --net none --cgroup-parent /$cgroup_parent"

d() {
	timeout 60 $docker "$@"
}

docker_starts() {
	needs_engine dockerd docker containerd
	echo '{}' >"$T/docker.json"
	dockerd --config-file "$T/docker.json" --data-root "$T/dk" --exec-root "$T/dx" -p "$T/docker.pid" -H "unix://$T/dk.sock" --bridge none \
		--iptables=false --storage-driver vfs --add-runtime "pouch=$T/pouch-oci" --default-runtime pouch \
		>"$T/dockerd.log" 2>&1 </dev/null &
	echo $! >"$T/dockerd.pid"
	eventually 40 d version
	is pouch "$(d info -f '{{.DefaultRuntime}}')"
	d import "$T/rootfs.tar" bb >/dev/null
	asks create d $docker_run -d -m 64m --name one bb /bin/sh -c "$service" >/dev/null
	was_asked start
	is pouch "$(d inspect -f '{{.HostConfig.Runtime}}' one)"
	touch "$T/docker.up"
}

docker_runs() {
	is_up docker
	is '5 2' "$(d $docker_run --rm --user 5 bb /bin/sh -c 'echo $(id -u) $(sed -n "s/^Seccomp:.//p" /proc/self/status)')"
	was_asked delete
	exits 42 d $docker_run --rm bb /bin/sh -c 'exit 42'
	exits 127 d $docker_run --rm bb nope
	exits 126 d $docker_run --rm bb /etc
}

docker_execs() {
	is_up docker
	is pouch "$(d exec -e X=pouch one /bin/sh -c 'echo $X')"
	: >"$T/calls"
	exits 3 d exec one /bin/sh -c 'exit 3'
	was_asked exec
}

docker_has_terminals() {
	is_up docker
	converses $docker $docker_run --rm -it bb /bin/sh -c "$dialogue"
	converses $docker exec -it one /bin/sh -c "$dialogue"
}

docker_logs() {
	is_up docker
	asks kill d kill -s USR1 one >/dev/null
	eventually 10 says usr1 d logs one
	says started d logs one
}

docker_measures() {
	is_up docker
	has '64MiB' "$(d stats --no-stream --format '{{.Name}} {{.MemUsage}}' one)"
	asks ps d top one >"$T/top"
	grep -q sleep "$T/top"
}

docker_pauses() {
	is_up docker
	asks pause d pause one >/dev/null
	is paused "$(d inspect -f '{{.State.Status}}' one)"
	fails paused d exec one true
	asks resume d unpause one >/dev/null
	is running "$(d inspect -f '{{.State.Status}}' one)"
}

docker_updates() {
	is_up docker
	asks update d update -m 80m --memory-swap -1 one >/dev/null
	has '80MiB' "$(d stats --no-stream --format '{{.MemUsage}}' one)"
}

docker_restarts() {
	is_up docker
	restarts d
}

docker_stops_and_removes() {
	is_up docker
	eventually 10 says started d logs --tail 1 one
	asks kill d stop one >/dev/null
	is 9 "$(d inspect -f '{{.State.ExitCode}}' one)"
	d start one >/dev/null
	asks delete d rm -f one >/dev/null
	is '' "$(d ps -aq)"
	is '' "$(our_cgroups | grep -E '/[0-9a-f]{64}$')"
}


it 'podman starts a container on it' podman_starts
it 'podman runs programs and reports how they end' podman_runs
it 'podman executes in a container' podman_execs
it 'podman gives run and exec a terminal that can be typed into and resized' podman_has_terminals
it 'podman signals a container and keeps its log' podman_logs
it 'podman shows statistics and processes' podman_measures
it 'podman pauses and resumes' podman_pauses
it 'podman updates limits' podman_updates
it 'podman restarts a container' podman_restarts
it 'podman stops, kills and removes' podman_stops_and_removes

it 'containerd starts a container on it' containerd_starts
it 'containerd runs programs and reports how they end' containerd_runs
it 'containerd executes in a container' containerd_execs
it 'containerd gives run and exec a terminal that can be typed into and resized' containerd_has_terminals
it 'containerd signals a container and keeps its log' containerd_logs
it 'containerd shows statistics and processes' containerd_measures
it 'containerd pauses and resumes' containerd_pauses
it 'containerd kills, removes and starts a task again' containerd_restarts_and_removes
it 'containerd ends' containerd_stops

it 'docker starts a container on it' docker_starts
it 'docker runs programs and reports how they end' docker_runs
it 'docker executes in a container' docker_execs
it 'docker gives run and exec a terminal that can be typed into and resized' docker_has_terminals
it 'docker signals a container and keeps its log' docker_logs
it 'docker shows statistics and processes' docker_measures
it 'docker pauses and resumes' docker_pauses
it 'docker updates limits' docker_updates
it 'docker restarts a container' docker_restarts
it 'docker stops, kills and removes' docker_stops_and_removes
it 'docker ends' daemon_stops dockerd 20

# conmon makes its directory for each controller below /sys/fs/cgroup, with a file in it, also where nothing is mounted.
plain_files() {
	find /sys/fs/cgroup -mindepth 2 -depth -path "*/$cgroup_parent*" "$@" 2>/dev/null
}

no_plain_file_is_left() {
	plain_files -delete || :
	is '' "$(plain_files)"
}
it 'leaves no plain files of theirs' no_plain_file_is_left
