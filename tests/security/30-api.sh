#!/bin/sh
# Hostile requests to pouchd: bodies, names; and what its socket and its shims' sockets let in
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"
needs curl python3

api() {
	curl -s --max-time 30 --unix-socket "$socket" "$@"
}

code() {
	api -o "$T/body" -w '%{http_code}' "$@"
}

# refused URL-PATH CURL-OPTION...: answered with 4xx, or with 501 for what is never done, and the daemon is as well as before
refused() {
	refused_path=$1
	shift
	got=$(code "$@" "http://pouch$refused_path") || :
	case $got in
	4[0-9][0-9] | 501) ;;
	*) echo "$refused_path $*: answered $got: $(head -c 300 "$T/body")"; return 1 ;;
	esac
	is OK "$(api http://pouch/_ping)"
}

# of pouchd, in KiB
memory() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(cat "$T/pouchd.pid")/status"
}

bodies() {
	python3 - "$T" <<-'END'
	import sys
	t = sys.argv[1]
	def put(name, data):
	    open(f"{t}/b-{name}", "wb").write(data)
	put("array-bomb", b"[" * 1000000)
	put("object-bomb", b'{"a":' * 200000 + b"1" + b"}" * 200000)
	put("nested", b'{"Image":"busybox","Labels":' + b'{"a":' * 5000 + b"1" + b"}" * 5001)
	put("twice", b'{"Image":"busybox","Image":"other"}')
	put("image-number", b'{"Image":1}')
	put("cmd-object", b'{"Image":"busybox","Cmd":{"a":1}}')
	put("env-number", b'{"Image":"busybox","Env":[1]}')
	put("host-array", b'{"Image":"busybox","HostConfig":[]}')
	put("huge-number", b'{"Image":"busybox","HostConfig":{"Memory":1e999}}')
	put("over-number", b'{"Image":"busybox","HostConfig":{"Memory":99999999999999999999999}}')
	put("nul", b'{"Image":"busy\\u0000box"}')
	put("nul-entry", b'{"Image":"busybox","Entrypoint":["sh\\u0000x"],"HostConfig":{"NetworkMode":"none"}}')
	put("nul-env", b'{"Image":"busybox","Env":["A=\\u0000"],"HostConfig":{"NetworkMode":"none"}}')
	put("raw-nul", b'{"Image":"busybox\0"}')
	put("no-utf8", b'{"Image":"\xff\xfe\xc0\x80"}')
	put("top-array", b'[]')
	put("rest", b'{"Image":"busybox"} {"Image":"other"}')
	END
	for body in "$T"/b-*; do
		refused /containers/create -X POST -H 'Content-Type: application/json' --data-binary "@$body" || { echo "${body##*/}"; return 1; }
	done
	for path in /containers/x/exec /networks/create /volumes/create /auth /daemon/update; do
		for body in array-bomb object-bomb top-array raw-nul; do
			refused $path -X POST --data-binary "@$T/b-$body"
		done
	done
	is '[]' "$(api 'http://pouch/containers/json?all=1')"
}

sizes() {
	before=$(memory)
	# A length that is promised, one without end, and headers without end
	timeout 60 python3 - "$socket" <<-'END'
	import socket, sys
	def send(head, chunk, n):
	    s = socket.socket(socket.AF_UNIX)
	    s.settimeout(10)
	    s.connect(sys.argv[1])
	    sent = 0
	    try:
	        s.sendall(head)
	        for i in range(n):
	            s.sendall(chunk)
	            sent += len(chunk)
	    except OSError:
	        return sent
	    try:
	        answer = s.recv(100)
	    except OSError:
	        answer = b""
	    return sent if answer[:10] in (b"", b"HTTP/1.1 4") or answer[9:12] in (b"413", b"400", b"431") else -1
	post = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	data = b"x" * 65536
	counts = [send(post + b"Content-Length: 1073741824\r\n\r\n", data, 16384),
	          send(post + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + data + b"\r\n", 16384),
	          send(b"GET /_ping HTTP/1.1\r\n", b"X-A: " + b"y" * 8000 + b"\r\n", 4000)]
	print(counts)
	sys.exit(1 if any(c < 0 for c in counts) else 0)
	END
	is OK "$(api http://pouch/_ping)"
	after=$(memory)
	[ $((after - before)) -lt 65536 ] || { echo "pouchd grew from $before to $after KiB"; return 1; }
}

names() {
	for name in .. ../x a/b /a %2e%2e a%2f..%2fb a%00b a%0ab a%1b%5bm -a '' a%20b $(printf 'a%.0s' $(seq 5000)); do
		[ -z "$name" ] || refused "/containers/create?name=$name" -X POST -d '{"Image":"busybox"}'
	done
	for name in .. ../x a/b /a 'a\u0000b' 'a\nb' '\u001b[m' -a . '~'; do
		refused /volumes/create -X POST -d "{\"Name\":\"$name\"}"
		refused /networks/create -X POST -d "{\"Name\":\"$name\",\"Driver\":\"bridge\"}"
		refused /containers/create -X POST -d "{\"Image\":\"$name\"}"
		refused /volumes/create -X POST -d "{\"Name\":\"v\",\"Driver\":\"$name\"}"
		refused /networks/create -X POST -d "{\"Name\":\"n\",\"Driver\":\"$name\"}"
		refused /containers/create -X POST -d "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"none\",\"Runtime\":\"$name\"}}"
		refused /containers/create -X POST -d "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"none\",\"VolumeDriver\":\"$name\",\"Binds\":[\"w:/w\"]}}"
		refused /containers/create -X POST -d "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"none\",\"LogConfig\":{\"Type\":\"$name\"}}}"
		refused /containers/create -X POST -d "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"none\",\"Binds\":[\"$name:../x\"]}}"
	done
	for name in .. ..%2f..%2fetc %2e%2e%2f%2e%2e %00 a%0ab; do
		refused "/containers/$name/json" -X GET
		refused "/containers/$name" -X DELETE
		refused "/exec/$name/json" -X GET
		refused "/volumes/$name" -X DELETE
		refused "/networks/$name" -X DELETE
		refused "/images/$name/json" -X GET
		refused "/images/$name" -X DELETE
	done
	is '[]' "$(api 'http://pouch/containers/json?all=1')"
	is '' "$(find "$home" -newer "$T/started" -name '*x' -not -path '*/overlay*' | grep -v '/[0-9a-f]\{64\}' || :)"
}

# The daemon's own and a shim's: neither is found by a container in the host's network, whoever it is there.
sockets_are_out_of_reach() {
	is '660' "$(stat -c %a "$socket")"
	pouch run -d --name host --net host -v "$attack:/bin/attack:ro" busybox sleep 1000
	abstract=$(awk '$8 ~ /^@/ { print $8 }' /proc/net/unix | sort -u)
	paths=$(find "$exec_root" -type s)
	[ -n "$paths" ]
	# The tool connects where it is let: from the host.
	says yes "$attack" connect "$(echo "$paths" | head -n 1)"
	for s in $paths "$socket"; do
		[ "$(stat -c %a "$s" | cut -c 3)" = 0 ] || [ "$(stat -c %a "${s%/*}" | cut -c 3)" -le 1 ]
		fails 'No such file' pouch exec host attack connect "$s"
		# Uid 0 without capabilities, and somebody else, on the host: only files' modes keep them out.
		fails '' "$attack" as 1000 "$attack" connect "$s"
	done
	for s in $abstract; do
		case $s in
		*pouch* | *shim* | *"$T"*) echo "abstract socket $s"; return 1 ;;
		esac
	done
	pouch rm -f host
}

pouchd_start
image_load >/dev/null
: >"$T/started"

it 'refuses hostile bodies' bodies
it 'reads no body and no header without end' sizes
it 'refuses names that lead elsewhere' names
it 'keeps its sockets out of reach' sockets_are_out_of_reach
