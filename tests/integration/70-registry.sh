#!/bin/sh
# real registries that want proof, show their own certificates, hold damaged blobs; pulls that are killed or run out of disk
. "$(dirname "$0")/../lib.sh"

needs docker-registry curl openssl
archive=$(image_archive) || skip 'busybox-static is not installed'

layers() {
	find "$home" -mindepth 3 -maxdepth 3 -path "$home/*/layers/*" | wc -l
}

unfinished() {
	find "$home" -mindepth 3 -maxdepth 3 -path "$home/*/tmp/*" | wc -l
}

# A second image with a layer of $1 MiB that does not pack.
big_archive() {
	mkdir -p "$T/big/layer"
	head -c "$1"M /dev/urandom >"$T/big/layer/blob"
	tar -C "$T/big/layer" -cf "$T/big/layer.tar" blob
	digest=$(sha256sum "$T/big/layer.tar" | cut -d' ' -f1)
	printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["/none"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"$digest" >"$T/big/config.json"
	printf '[{"Config":"config.json","RepoTags":["big:1"],"Layers":["layer.tar"]}]' >"$T/big/manifest.json"
	tar -C "$T/big" -cf "$T/big.tar" manifest.json config.json layer.tar
	rm -r "$T/big"
}

registry_start 5070 || exit 1
plain=$registry
registry_push "$archive" team/app:1 || exit 1
big_archive 60
registry_push "$T/big.tar" team/big:1 none || exit 1

# user:pass by bcrypt
cat >"$T/htpasswd" <<-'END'
	user:$2y$05$6b146jRv7qbCPkzD2trQ5.JZMs3fTMoOlt7fcvRwig7wFoPzAO4nq
END
cat >"$T/registry-5071.yml" <<-END
	version: 0.1
	storage: {filesystem: {rootdirectory: $T/registry-5070}}
	auth: {htpasswd: {realm: test, path: $T/htpasswd}}
	http: {addr: 127.0.0.1:5071}
END
registry_start 5071 || exit 1

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/key.pem" -out "$T/cert.pem" -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' >"$T/openssl.log" 2>&1 || exit 1
cat >"$T/registry-5072.yml" <<-END
	version: 0.1
	storage: {filesystem: {rootdirectory: $T/registry-5070}}
	http: {addr: 127.0.0.1:5072, tls: {certificate: $T/cert.pem, key: $T/key.pem}}
END
registry_start 5072 || exit 1
pouchd_start || exit 1

# pull_with USER PASSWORD: as docker's client does it
pull_with() {
	auth=$(printf '{"username":"%s","password":"%s"}' "$1" "$2" | base64 -w0)
	curl -sS --unix-socket "$socket" -X POST -H "X-Registry-Auth: $auth" \
		"http://pouchd/v1.24/images/create?fromImage=127.0.0.1:5071/team/app&tag=1"
}

proof() {
	fails 'denied' pouch pull 127.0.0.1:5071/team/app:1
	has 'denied' "$(pull_with user wrong)"
	is '' "$(pouch images -q)"
	has 'Pull complete' "$(pull_with user pass)"
	pouch rmi 127.0.0.1:5071/team/app:1
}
it 'shows user and password to a registry that wants them' proof

certificates() {
	fails 'certificate' pouch pull 127.0.0.1:5072/team/app:1
	is '' "$(pouch images -q)"
	pouchd_stop
	pouchd_start --insecure-registries 127.0.0.1:5072
	says 'Pull complete' pouch pull 127.0.0.1:5072/team/app:1
	pouch rmi 127.0.0.1:5072/team/app:1
	pouchd_stop
	SSL_CERT_FILE=$T/cert.pem pouchd_start
	says 'Pull complete' pouch pull 127.0.0.1:5072/team/app:1
	pouch rmi 127.0.0.1:5072/team/app:1
	pouchd_stop
	pouchd_start
}
it 'trusts certificates of known authorities, and others when told to' certificates

damaged() {
	pouch pull "$plain/team/app:1"
	before=$(layers)
	# The registry serves what lies on its disk.
	blob=$(find "$T/registry-5070" -name data -size +50M)
	printf X | dd of="$blob" bs=1 seek=1000000 conv=notrunc 2>/dev/null
	fails 'team/big' pouch pull "$plain/team/big:1"
	hasnt big "$(pouch images)"
	is "$before" "$(layers)"
	is 0 "$(unfinished)"
	rm -r "$T/registry-5070/docker/registry/v2/repositories/team/big" "${blob%/data}"
	registry=$plain
	registry_push "$T/big.tar" team/big:1 none
	is hello "$(pouch run --rm --net none "$plain/team/app:1" echo hello)"
}
it 'refuses a damaged blob and keeps what it has' damaged

killed() {
	before=$(layers)
	for delay in 0.02 0.05 0.1 0.2 0.3; do
		pouch pull "$plain/team/big:1" >"$T/killed" 2>&1 &
		sleep $delay
		pouchd_kill9
		wait $! || :
		pouchd_start
		is 0 "$(unfinished)"
		if ! pouch images | grep -q big; then
			is "$before" "$(layers)"
		else
			pouch rmi "$plain/team/big:1"
		fi
	done
	pouch pull "$plain/team/big:1"
	has big "$(pouch images)"
	pouch rmi "$plain/team/big:1"
	is "$before" "$(layers)"
}
it 'is sound after pulls that were killed, and goes on' killed

full_disk() {
	needs_own_mounts
	pouchd_stop
	mkdir "$T/small"
	mount -t tmpfs -o size=40m none "$T/small"
	home_before=$home
	home=$T/small
	pouchd_start
	pouch pull "$plain/team/app:1"
	fails 'No space left' pouch pull "$plain/team/big:1"
	has app "$(pouch images)"
	hasnt big "$(pouch images)"
	is 1 "$(layers)"
	is 0 "$(unfinished)"
	pouch rmi "$plain/team/app:1"
	is 0 "$(layers)"
	pouchd_stop
	eventually 10 umount "$T/small"	# threads of the process that ended may end a moment later
	home=$home_before
	pouchd_start
}
it 'tells that the disk is full, and leaves nothing on it' full_disk

proxy_start() {
	python3 "$tests/proxy.py" "$@" >"$T/proxy.out" 2>&1 </dev/null &
	echo $! >"$T/proxy.pid"
	eventually 10 registry_listens "$1"
}

proxy_stop() {
	[ -e "$T/proxy.pid" ] || return 0
	proxy_pid=$(cat "$T/proxy.pid")
	rm "$T/proxy.pid"
	kill "$proxy_pid"
	process_ends "$proxy_pid" 10
}

# A registry whose name nobody but the proxy knows, plain and with TLS.
proxies() {
	needs python3
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/pkey.pem" -out "$T/pcert.pem" -days 2 -subj /CN=far.test \
		-addext 'subjectAltName=DNS:far.test' >>"$T/openssl.log" 2>&1
	sed "s|5072|5073|; s|/cert.pem|/pcert.pem|; s|/key.pem|/pkey.pem|" "$T/registry-5072.yml" >"$T/registry-5073.yml"
	registry_start 5073
	pouchd_stop
	pouchd_start --insecure-registries far.test:5070
	fails 'far.test' pouch pull far.test:5070/team/app:1
	pouchd_stop

	proxy_start 5079 "$T/proxy.log"
	export SSL_CERT_FILE="$T/pcert.pem"
	pouchd_start --insecure-registries far.test:5070 --image-proxy http://127.0.0.1:5079
	has http://127.0.0.1:5079 "$(pouch info)"
	pouch rmi "$plain/team/app:1"
	says 'Status: Downloaded newer image' pouch pull far.test:5070/team/app:1
	has 'http://far.test:5070/v2/team/app/blobs/sha256:' "$(cat "$T/proxy.log")"
	is hello "$(pouch run --rm --net none far.test:5070/team/app:1 echo hello)"
	pouch rmi far.test:5070/team/app:1
	says 'Status: Downloaded newer image' pouch pull far.test:5073/team/app:1
	has 'CONNECT far.test:5073' "$(cat "$T/proxy.log")"
	pouch rmi far.test:5073/team/app:1
	# What is on this machine needs none.
	: >"$T/proxy.log"
	says 'Status: Downloaded newer image' pouch pull "$plain/team/app:1"
	is '' "$(cat "$T/proxy.log")"
	pouch rmi "$plain/team/app:1"
	proxy_stop
	fails '127.0.0.1 port 5079' pouch pull far.test:5073/team/app:1
	is '' "$(pouch images -q)"
	pouchd_stop

	proxy_start 5079 "$T/proxy.log" user:secret
	pouchd_start --image-proxy http://127.0.0.1:5079
	fails '407' pouch pull far.test:5073/team/app:1
	pouchd_stop
	pouchd_start --image-proxy http://user:secret@127.0.0.1:5079
	says 'Status: Downloaded newer image' pouch pull far.test:5073/team/app:1
	info=$(pouch info)
	hasnt secret "$info"
	has http://xxxxx:xxxxx@127.0.0.1:5079 "$info"
	pouch rmi far.test:5073/team/app:1
	proxy_stop
	unset SSL_CERT_FILE
	pouchd_stop
	pouchd_start
}
it 'pulls by way of a proxy' proxies
[ ! -e "$T/registry-5073.pid" ] || registry_stop 5073
proxy_stop

# A mount that is read-only from the next start on; a running daemon keeps it from becoming so.
read_only_home() {
	needs_own_mounts
	pouch pull "$plain/team/app:1"
	pouch run -d --name survivor --net none "$plain/team/app:1" sleep 1000
	pouchd_stop
	before=$(find "$home" | sort | cksum)
	mount --bind "$home" "$home"
	mount -o remount,bind,ro "$home"
	said=0
	timeout 20 "$POUCH_BUILD/pouchd" --home-dir "$home" --exec-root-dir "$exec_root" --listen "unix://$socket" --pidfile "$T/pid" \
		--config-file "$T/config.json" --cgroup-parent "$cgroup_parent" --bridge-name "$bridge" --bip "$bip" >"$T/ro.log" 2>&1 || said=$?
	umount "$home"
	cat "$T/ro.log"
	is 1 $said
	is 1 "$(grep -c -v OOM "$T/ro.log")"
	has 'Read-only file system' "$(cat "$T/ro.log")"
	has "$home" "$(cat "$T/ro.log")"
	is "$before" "$(find "$home" | sort | cksum)"
	pouchd_start
	has survivor "$(pouch ps)"
	is hello "$(pouch exec survivor echo hello)"
	pouch rm -f survivor
	pouch rmi "$plain/team/app:1"
}
it 'says that the home is read-only, and leaves what runs alone' read_only_home

for port in 5070 5071 5072; do
	registry_stop $port
done
