#!/bin/sh
# pouchd: its options, its sockets, and what its API answers
. "$(dirname "$0")/../lib.sh"
needs curl ip

api() {
	curl -s --max-time 20 --unix-socket "$socket" "$@"
}

# status METHOD PATH [CURL-OPTION...]
status() {
	status_method=$1
	status_path=$2
	shift 2
	api -o "$T/body" -w '%{http_code}' -X "$status_method" "$@" "http://pouch$status_path"
}

answers() {
	answers_code=$1
	shift
	is "$answers_code" "$(status "$@")" || { cat "$T/body"; return 1; }
}

# refuses TEXT OPTION...: a second daemon with these options ends at once and says TEXT
refuses() {
	refuses_text=$1
	shift
	fails "$refuses_text" timeout 20 "$POUCH_BUILD/pouchd" --home-dir "$T/other" --exec-root-dir "$T/other-run" \
		--listen "unix://$T/other.sock" --pidfile "" --config-file "$T/other.json" --iptables=false --bridge-name "o$bridge" "$@"
}

# ---- options --------------------------------------------------------------------------------------------------------------------------

wrong_options_are_refused() {
	echo '{}' >"$T/other.json"
	refuses 'unknown option' --no-such-option
	refuses 'takes no argument' argument
	refuses "'maybe' is neither true nor false" --iptables=maybe
	refuses 'is not a number' --mtu many
	refuses 'absolute path' --home-dir relative
	refuses 'need each other' --tlscert "$T/cert.pem"
	refuses 'starts with neither unix:// nor tcp://' --listen udp://1.2.3.4:5
	refuses 'needs no containerd' --containerd /run/other.sock
	refuses 'CRI service' --enable-cri
	refuses 'is not KEY=VALUE' --label nonsense
	refuses 'has no port' --listen tcp://127.0.0.1
}

configuration_file_is_read() {
	echo '{"home-dir": "/x", "no-such-key": 1}' >"$T/other.json"
	refuses "both as an option and in the file"
	echo '{"no-such-key": 1}' >"$T/other.json"
	refuses "unknown key 'no-such-key'"
	echo '{"mtu": "x"}' >"$T/other.json"
	refuses "key 'mtu'"
	echo '{"label": 3}' >"$T/other.json"
	refuses "key 'label'"
	echo '{' >"$T/other.json"
	refuses 'configuration file'
	refuses 'No such file' --config-file "$T/absent.json"
}

one_home_has_one_daemon() {
	echo '{}' >"$T/other.json"
	refuses 'another pouchd uses the home directory' --home-dir "$home"
	refuses 'another process listens' --listen "unix://$socket"
	api -f http://pouch/_ping >/dev/null
}

# Before anything of the host is changed.
a_wrong_address_leaves_no_bridge() {
	echo '{}' >"$T/other.json"
	refuses 'No such file' --listen unix:///proc/no/such
	hasnt ": o$bridge:" "$(ip -o link)"
	[ ! -e "$T/other.sock" ]
}

read_only_home_is_said_to_be_one() {
	mkdir -p "$T/ro"
	mount -t tmpfs -o ro tmpfs "$T/ro" || skip 'cannot mount a tmpfs'
	refuses 'ead-only file system' --home-dir "$T/ro/home" || { umount "$T/ro"; return 1; }
	umount "$T/ro"
}

version_is_printed() {
	says 'pouchd 2.' "$POUCH_BUILD/pouchd" --version
	says 'pouchd 2.' "$POUCH_BUILD/pouchd" -v
}

labels_are_read_again() {
	says '"Labels":["a=1"]' api http://pouch/info
	echo '{"label": ["a=2", "b=3"]}' >"$T/config.json"
	kill -HUP "$(cat "$T/pouchd.pid")"
	eventually 5 says '"Labels":["a=2","b=3"]' api http://pouch/info
	answers 200 POST /daemon/update -d '{"Labels":["c=4"]}'
	says '"c=4"' api http://pouch/info
	answers 400 POST /daemon/update -d '{"Labels":["c"]}'
}

# What cannot change is named, a wrong file changes nothing, and what the command line said stays.
reload_takes_over_what_it_can() {
	echo '{"label": ["a=5"], "debug": true, "mtu": 1400, "insecure-registries": ["10.9.8.7:5000"]}' >"$T/config.json"
	kill -HUP "$(cat "$T/pouchd.pid")"
	eventually 5 grep -q 'reload: configuration read again; changed: insecure-registries, label, debug$' "$T/pouchd.log"
	grep -q 'reload: these wait for the next start of pouchd: mtu$' "$T/pouchd.log"
	says '"10.9.8.7:5000"' api http://pouch/info
	says '"Debug":true' api http://pouch/info
	echo '{"label": ["a=6"], "no-such-key": 1}' >"$T/config.json"
	kill -HUP "$(cat "$T/pouchd.pid")"
	eventually 5 grep -q "reload: nothing is changed: .*unknown key 'no-such-key'" "$T/pouchd.log"
	echo '{"label": ["a=6"], "home-dir": "/elsewhere"}' >"$T/config.json"
	kill -HUP "$(cat "$T/pouchd.pid")"
	eventually 5 grep -q "reload: nothing is changed: .*both as an option and in the file" "$T/pouchd.log"
	says '"Labels":["a=5"]' api http://pouch/info
	echo '{"label": ["a=1"]}' >"$T/config.json"
	kill -HUP "$(cat "$T/pouchd.pid")"
	eventually 5 says '"Labels":["a=1"]' api http://pouch/info
	says '"Debug":false' api http://pouch/info
}

# A registry that is not on loopback is asked by HTTP only when it is named as insecure; by a proxy when there is one.
registries_are_reached_as_reloaded() {
	needs docker-registry
	[ "${POUCH_TEST_PRIVATE-}" = yes ] || skip 'needs a network of its own'
	ip address add 10.9.8.7/32 dev lo
	cat >"$T/registry-5009.yml" <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $T/registry-5009}}
		http: {addr: 0.0.0.0:5009}
	END
	docker-registry serve "$T/registry-5009.yml" >"$T/registry-5009.log" 2>&1 </dev/null &
	echo $! >"$T/registry-5009.pid"
	eventually 20 curl -s http://10.9.8.7:5009/v2/
	registry=10.9.8.7:5009
	registry_push "$(image_archive)" remote/busybox:latest none
	fails '' pouch pull "$registry/remote/busybox:latest"
	echo "{\"label\": [\"a=1\"], \"insecure-registries\": [\"$registry\"]}" >"$T/config.json"
	kill -HUP "$(cat "$T/pouchd.pid")"
	eventually 5 says "$registry" api http://pouch/info
	pouch pull "$registry/remote/busybox:latest"
	answers 200 POST /daemon/update -d '{"ImageProxy":"http://127.0.0.1:9"}'
	says '"HttpProxy":"http://127.0.0.1:9"' api http://pouch/info
	fails '127.0.0.1' pouch pull "$registry/remote/busybox:latest"
	kill -HUP "$(cat "$T/pouchd.pid")"
	eventually 5 says '"HttpProxy":""' api http://pouch/info
	pouch pull "$registry/remote/busybox:latest"
	pouch rmi "$registry/remote/busybox:latest"
	echo '{"label": ["a=1"]}' >"$T/config.json"
	kill -HUP "$(cat "$T/pouchd.pid")"
	registry_stop 5009
}

configuration_is_validated() {
	says "listen unix://$T/a" "$POUCH_BUILD/pouchd" --validate --config-file "" --listen "unix://$T/a" --home-dir "$T/none"
	[ ! -e "$T/none" ]
	echo '{"mtu": 1}' >"$T/other.json"
	fails 'mtu: 1 is not between' "$POUCH_BUILD/pouchd" --validate --config-file "$T/other.json"
	fails 'absolute path' "$POUCH_BUILD/pouchd" --supervise relative
	echo '{"supervise": "/x"}' >"$T/other.json"
	fails "unknown key 'supervise'" "$POUCH_BUILD/pouchd" --validate --config-file "$T/other.json"
}

# ---- API ------------------------------------------------------------------------------------------------------------------------------

versions_are_understood() {
	answers 200 GET /_ping
	answers 200 HEAD /_ping -I
	answers 200 GET /v1.24/_ping
	answers 200 GET /v1.47/version
	answers 400 GET /v1.12/version
	answers 400 GET /v2.0/version
	answers 404 GET /no/such/path
	answers 405 DELETE /version
	says 'Api-Version: 1.41' api -i http://pouch/_ping
}

bodies_are_checked() {
	answers 400 POST /containers/create -d ''
	answers 400 POST /containers/create -d '{'
	answers 400 POST /containers/create -d '{"Image": 1}'
	answers 400 POST /containers/create -d '{"Image": "busybox", "HostConfig": {"Binds": "x"}}'
	has 'HostConfig' "$(cat "$T/body")"
	answers 404 POST /containers/create -d '{"Image": "no-such-image"}'
	awk 'BEGIN { printf "{\"Image\":\""; for (i = 0; i < 500000; i++) printf "0123456789"; print "\"}" }' >"$T/big"
	answers 413 POST /containers/create -d "@$T/big"
	answers 400 POST '/containers/create?name=a%20b' -d '{"Image": "busybox"}'
	has 'Invalid container name' "$(cat "$T/body")"
}

# create JSON: prints the id
create() {
	api -d "$1" "http://pouch/containers/create${2-}" | sed -n 's/.*"Id":"\([0-9a-f]*\)".*/\1/p'
}

states_have_their_codes() {
	id=$(create '{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}' '?name=codes')
	answers 409 POST '/containers/create?name=codes' -d '{"Image":"busybox"}'
	has 'already exist' "$(cat "$T/body")"
	answers 304 POST /containers/codes/stop
	answers 409 POST /containers/codes/kill
	answers 204 POST "/containers/$id/start"
	answers 304 POST /containers/codes/start
	answers 500 DELETE /containers/codes
	answers 204 POST /containers/codes/pause
	answers 500 POST /containers/codes/start
	answers 500 DELETE /containers/codes
	answers 409 POST /containers/codes/pause
	answers 204 POST /containers/codes/unpause
	answers 500 DELETE /images/busybox
	answers 400 GET /containers/codes/logs
	answers 404 GET /containers/nobody/json
	answers 204 POST '/containers/codes/rename?name=other'
	answers 404 GET /containers/codes/json
	answers 204 POST '/containers/other/kill?signal=KILL'
	says '"StatusCode":137' api -X POST http://pouch/containers/other/wait
	answers 204 DELETE /containers/other
}

lists_speak_both_dialects() {
	create '{"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"none"}}' '?name=dialect'
	says '"Names":["dialect"]' api 'http://pouch/containers/json?all=1'
	says '"Names":["/dialect"]' api 'http://pouch/v1.41/containers/json?all=1'
	says '"Name":"/dialect"' api http://pouch/v1.41/containers/dialect/json
	says '"Status":"created"' api 'http://pouch/containers/json?all=1'
	is '[]' "$(api 'http://pouch/containers/json?all=1&filters=%7B%22name%22%3A%5B%22nobody%22%5D%7D')"
	answers 400 GET '/containers/json?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D'
	answers 400 GET '/containers/json?filters=%7B'
	answers 204 DELETE /containers/dialect
}

events_are_told() {
	curl -sN --max-time 60 --unix-socket "$socket" "http://pouch/events?since=0" >"$T/events" &
	listener=$!
	id=$(create '{"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"none"}}')
	answers 204 POST "/containers/$id/start"
	says 'StatusCode' api -X POST "http://pouch/containers/$id/wait"
	answers 204 DELETE "/containers/$id"
	for action in create start die destroy; do
		eventually 10 grep -q "\"Action\":\"$action\".*$id" "$T/events"
	done
	kill $listener
	wait $listener || :
	# What was is told again, up to a moment, and then it ends.
	api "http://pouch/events?since=0&until=$(($(date +%s) + 1))" >"$T/events"
	for action in create start die destroy; do
		grep -q "\"Action\":\"$action\".*$id" "$T/events"
	done
}

options_are_refused_by_name() {
	refused() {
		answers 501 POST /containers/create -d "{\"Image\":\"busybox\",$1}"
		has "$2" "$(cat "$T/body")"
	}
	refused '"DiskQuota":{".*":"10g"}' 'disk quota'
	refused '"HostConfig":{"EnableLxcfs":true}' 'lxcfs'
	refused '"RichMode":"systemd"' 'rich containers'
	refused '"HostConfig":{"UsernsMode":"private"}' 'user namespaces'
	refused '"HostConfig":{"NvidiaConfig":{"NvidiaVisibleDevices":"all"}}' 'NVIDIA'
	answers 400 POST /containers/create -d '{"Image":"busybox","HostConfig":{"Memory":1000}}'
	answers 400 POST /containers/create -d '{"Image":"busybox","HostConfig":{"SecurityOpt":["nonsense"]}}'
	answers 400 POST /containers/create -d '{"Image":"busybox","HostConfig":{"RestartPolicy":{"Name":"often"}}}'
	answers 400 POST /containers/create -d '{"Image":"busybox","HostConfig":{"Sysctls":{"kernel.panic":"1"}}}'
	answers 400 POST /containers/create -d '{"Image":"busybox","HostConfig":{"NetworkMode":"none","Binds":["a:b"]}}'
	is '[]' "$(api 'http://pouch/containers/json?all=1')"
}

# ---- sockets ----------------------------------------------------------------------------------------------------------------------------

certificate() {
	openssl req -newkey rsa:2048 -nodes -keyout "$T/$1.key" -out "$T/$1.csr" -subj "/CN=$2" 2>/dev/null
	printf 'subjectAltName=IP:127.0.0.1\n' >"$T/ext"
	openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -out "$T/$1.pem" -days 2 \
		-extfile "$T/ext" 2>/dev/null
}

tls() {
	curl -s --max-time 10 --cacert "$T/ca.pem" "$@" https://127.0.0.1:14444/_ping
}

tls_checks_clients() {
	needs openssl
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/ca.key" -out "$T/ca.pem" -days 2 -subj /CN=ca 2>/dev/null
	certificate server server
	certificate good manager
	certificate bad stranger
	pouchd_stop
	pouchd_start --listen tcp://127.0.0.1:14444 --tlscacert "$T/ca.pem" --tlscert "$T/server.pem" --tlskey "$T/server.key" \
		--tlsverify --manager-whitelist manager,boss
	is OK "$(tls --cert "$T/good.pem" --key "$T/good.key")"
	fails '' tls
	fails '' tls --cert "$T/bad.pem" --key "$T/bad.key"
	says 'busybox' timeout 20 "$POUCH_BUILD/pouch" -H tcp://127.0.0.1:14444 --tlscacert "$T/ca.pem" --tlscert "$T/good.pem" \
		--tlskey "$T/good.key" --tlsverify images
	is hello "$(echo hello | timeout 20 "$POUCH_BUILD/pouch" -H tcp://127.0.0.1:14444 --tlscacert "$T/ca.pem" --tlscert "$T/good.pem" \
		--tlskey "$T/good.key" --tlsverify run -i --rm --net none busybox cat)"
}

socket_is_for_its_group() {
	is 660 "$(stat -c %a "$socket")"
}

echo '{"label": ["a=1"]}' >"$T/config.json"
pouchd_start
image_load || skip 'no image could be loaded'

it 'refuses wrong options by name' wrong_options_are_refused
it 'reads a configuration file, strictly' configuration_file_is_read
it 'leaves a home and a socket to the daemon that has them' one_home_has_one_daemon
it 'makes no bridge when it cannot listen' a_wrong_address_leaves_no_bridge
it 'says that a home is read-only' read_only_home_is_said_to_be_one
it 'prints its version' version_is_printed
it 'reads labels again on SIGHUP' labels_are_read_again
it 'reloads what can change and names what cannot' reload_takes_over_what_it_can
it 'reaches registries as it was last told' registries_are_reached_as_reloaded
it 'validates its configuration without doing anything' configuration_is_validated
it 'understands paths with and without a version' versions_are_understood
it 'checks request bodies' bodies_are_checked
it 'answers each state with its code' states_have_their_codes
it 'lists in the words of docker and of pouch' lists_speak_both_dialects
it 'tells events' events_are_told
it 'refuses what it cannot do by the name of what is lacking' options_are_refused_by_name
it 'keeps its socket for its group' socket_is_for_its_group
it 'lets in by TLS whom it knows' tls_checks_clients
