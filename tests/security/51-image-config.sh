#!/bin/sh
# Hostile images: configurations that are not what they seem, users, working directories and volumes that lead elsewhere
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

archive=$(image_archive) || skip 'busybox-static is not installed'

host=$T/host
mkdir -p "$host" "$T/base" "$T/more"
echo private-bytes >"$host/secret"
chmod 755 "$host"
tar -C "$T/base" -xf "$archive"
base_layer=$(tr -d '\n' <"$T/base/manifest.json" | sed 's/.*"Layers":\["\([^"]*\)".*/\1/')
base_diff=$(sha256sum <"$T/base/$base_layer" | cut -d' ' -f1)

# load NAME CONFIG-JSON [DIFF-IDS]: an image of the usual layer and, where there is something in it, $T/more
load() {
	layers="\"base.tar\""
	diffs="\"sha256:$base_diff\""
	mkdir -p "$T/image"
	ln -f "$T/base/$base_layer" "$T/image/base.tar" 2>/dev/null || cp "$T/base/$base_layer" "$T/image/base.tar"
	if [ -n "$(ls -A "$T/more")" ]; then
		tar -C "$T/more" -cf "$T/image/more.tar" .
		layers="$layers,\"more.tar\""
		diffs="$diffs,\"sha256:$(sha256sum <"$T/image/more.tar" | cut -d' ' -f1)\""
	fi
	printf '{"architecture":"amd64","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":[%s]}}' "$2" "${3-$diffs}" \
		>"$T/image/config.json"
	printf '[{"Config":"config.json","RepoTags":["%s:1"],"Layers":[%s]}]' "$1" "$layers" >"$T/image/manifest.json"
	tar -C "$T/image" -cf "$T/image.tar" manifest.json config.json base.tar $([ ! -e "$T/image/more.tar" ] || echo more.tar)
	rm -rf "$T/image"
	pouch load -q -i "$T/image.tar"
}

forget() {
	images=$(pouch images -q | sort -u)
	# shellcheck disable=SC2086 # one word an image
	[ -z "$images" ] || pouch rmi -f $images >/dev/null
	rm -rf "$T/more"
	mkdir "$T/more"
}

# Nothing of a container that did not come to be, and no volume.
nothing_of_containers() {
	is '' "$(pouch ps -aq)"
	is '' "$(pouch volume ls -q)"
	is '' "$(ls "$home/containers")"
}

# seconds COMMAND...: how long it takes
seconds() {
	seconds_began=$(date +%s)
	"$@"
	echo $(($(date +%s) - seconds_began))
}

pouchd_start

# ---- the texts -------------------------------------------------------------------------------------------------------------------

what_is_wrong_is_refused() {
	number=0
	while read -r text; do
		number=$((number + 1))
		one_line load wrong "$text" || { echo "$text"; return 1; }
	done <<-'END'
		[]
		"x"
		{"User":0}
		{"User":["root"]}
		{"User":"ro\u0000ot"}
		{"Env":"A=b"}
		{"Env":{"A":"b"}}
		{"Env":[1]}
		{"Env":[["A=b"]]}
		{"Env":["A=\u0000"]}
		{"Cmd":1}
		{"Cmd":{"a":1}}
		{"Cmd":["a\u0000b"]}
		{"Entrypoint":{"a":1}}
		{"Entrypoint":["a\u0000"]}
		{"WorkingDir":["/"]}
		{"WorkingDir":"/a\u0000b"}
		{"Volumes":["/a"]}
		{"Volumes":"/a"}
		{"Volumes":{"/a\u0000b":{}}}
		{"ExposedPorts":["80/tcp"]}
		{"ExposedPorts":80}
		{"Labels":["a"]}
		{"Labels":{"a":1}}
		{"Labels":{"a":{"b":"c"}}}
		{"Labels":{"a":"\u0000"}}
		{"StopSignal":9}
		{"StopTimeout":"x"}
		{"StopTimeout":1e30}
		{"User":"x"
		{"User":NaN}
	END
	[ $number = 31 ]
	one_line load wrong "$(awk 'BEGIN { for (i = 0; i < 5000; i++) printf "{\"Labels\":"; for (i = 0; i < 5000; i++) printf "}" }')"
	one_line load wrong "$(awk 'BEGIN { printf "{\"Healthcheck\":"; for (i = 0; i < 5000; i++) printf "["; for (i = 0; i < 5000; i++) printf "]"; printf "}" }')"
	one_line load wrong '{}' ''
	one_line load wrong '{}' "\"sha256:$base_diff\",\"sha256:$base_diff\""
	one_line load wrong '{}' "\"sha256:$(printf %064d 1)\""
	one_line load wrong '{}' '"sha256:../../../../etc/passwd"'
	one_line load wrong '{}' '"x\n\u001b[2J"'
	is '' "$(pouch images -q)"
}

# list KIND COUNT: a configuration with so many
list() {
	case $1 in
	Env) awk -v n="$2" 'BEGIN { printf "{\"Env\":[\"A=\""; for (i = 1; i < n; i++) printf ",\"V%d=\"", i; printf "],\"Cmd\":[\"true\"]}" }' ;;
	Cmd) awk -v n="$2" 'BEGIN { printf "{\"Cmd\":[\"true\""; for (i = 1; i < n; i++) printf ",\"%d\"", i; printf "]}" }' ;;
	Labels) awk -v n="$2" 'BEGIN { printf "{\"Cmd\":[\"true\"],\"Labels\":{\"a\":\"\""; for (i = 1; i < n; i++) printf ",\"%d\":\"\"", i; printf "}}" }' ;;
	Volumes) awk -v n="$2" 'BEGIN { printf "{\"Cmd\":[\"true\"],\"Volumes\":{\"/a\":{}"; for (i = 1; i < n; i++) printf ",\"/%d\":{}", i; printf "}}" }' ;;
	ExposedPorts) awk -v n="$2" 'BEGIN { printf "{\"Cmd\":[\"true\"],\"ExposedPorts\":{\"1/tcp\":{}"; for (i = 2; i <= n; i++) printf ",\"%d/%s\":{}", i % 65535 + 1, (i > 65535 ? "udp" : "tcp"); printf "}}" }' ;;
	esac
}

huge_lists_are_refused_soon() {
	for kind in Env Cmd Labels Volumes ExposedPorts; do
		list "$kind" 45000 >"$T/list"
		took=$(seconds one_line load huge "$(cat "$T/list")" | tail -n 1)
		echo "$kind: $took s: $(cat "$T/said")"
		[ "$took" -lt 10 ]
	done
	is '' "$(pouch images -q)"
	# A lot is not too much.
	load many "$(list Env 1000)"
	pouch run --rm --net none many:1
	load many "$(list Volumes 20)"
	pouch run --rm -v "$T:/x:ro" --net none many:1
	forget
	nothing_of_containers
}

# Too many from somebody who asks himself, too
huge_requests_are_refused_soon() {
	needs curl
	load plain '{"Cmd":["true"]}'
	for kind in Env Labels Volumes ExposedPorts; do
		list "$kind" 45000 | sed 's/^{/{"Image":"plain:1","HostConfig":{"NetworkMode":"none"},/' >"$T/list"
		code=$(curl -s --max-time 30 -o "$T/said" -w '%{http_code}' --unix-socket "$socket" -X POST --data-binary "@$T/list" http://pouch/containers/create)
		case $code in
		4??) ;;
		*) echo "$kind: $code"; return 1 ;;
		esac
	done
	forget
	nothing_of_containers
}

it 'refuses configurations that are wrong' what_is_wrong_is_refused
it 'refuses huge lists soon' huge_lists_are_refused_soon
it 'refuses them in requests, too' huge_requests_are_refused_soon

# ---- values ----------------------------------------------------------------------------------------------------------------------

values_are_checked() {
	while read -r text; do
		load value "$text" || { echo "$text"; return 1; }
		one_line pouch run --rm --net none value:1 true || { echo "$text"; return 1; }
	done <<-'END'
		{"User":"nosuch"}
		{"User":"root\n"}
		{"User":"ro\tot"}
		{"User":"\u001b[2J"}
		{"User":"../../etc/passwd"}
		{"User":"-1"}
		{"User":"4294967295"}
		{"User":"4294967296"}
		{"User":"2147483648"}
		{"User":"99999999999999999999"}
		{"User":"0x0"}
		{"User":" 0"}
		{"User":"0:nosuch"}
		{"User":"0:4294967296"}
		{"User":"0:0:0"}
		{"User":"root:\u009b2J"}
		{"Env":["=x"]}
		{"Env":[""]}
		{"Env":[null]}
		{"WorkingDir":"relative"}
		{"WorkingDir":"../.."}
		{"WorkingDir":"/etc/passwd"}
		{"WorkingDir":"/etc/passwd/x"}
		{"StopSignal":"SIGNOPE"}
		{"StopSignal":"-1"}
		{"StopSignal":"999"}
		{"StopSignal":"9\n"}
		{"StopTimeout":-5}
		{"ExposedPorts":{"x":{}}}
		{"ExposedPorts":{"0/tcp":{}}}
		{"ExposedPorts":{"65536/tcp":{}}}
		{"ExposedPorts":{"80/../tcp":{}}}
		{"ExposedPorts":{"80/icmp":{}}}
		{"ExposedPorts":{"90-80/tcp":{}}}
		{"ExposedPorts":{"80\n/tcp":{}}}
		{"Volumes":{"relative":{}}}
		{"Volumes":{"/":{}}}
		{"Volumes":{"..":{}}}
		{"Volumes":{"/..":{}}}
		{"Volumes":{"/a/../..":{}}}
		{"Volumes":{"":{}}}
		{"Volumes":{"/proc":{}}}
		{"Volumes":{"/proc/self":{}}}
		{"Volumes":{"/proc/sys":{}}}
		{"Volumes":{"/proc/1/root":{}}}
	END
	nothing_of_containers
	forget
}

# What is shown on a terminal, in tables and in a record
nothing_is_sent_to_the_terminal() {
	bad='\u001b]0;owned\u0007\u009b2J\n\r'
	load rude "{\"User\":\"0\",\"Env\":[\"A=$bad\"],\"Cmd\":[\"sh\",\"-c\",\"sleep 1000 # $bad\"],\"Labels\":{\"l$bad\":\"$bad\"},\"Entrypoint\":null}"
	pouch run -d --name rude --net none rude:1
	for command in 'ps --no-trunc' 'ps -a' 'inspect rude' 'inspect rude:1' images 'top rude' info 'volume ls' 'logs rude'; do
		# shellcheck disable=SC2086 # words
		pouch $command >"$T/said" 2>&1 || { cat -v "$T/said"; return 1; }
		# "top" is ps(1)'s way; tables have lines, and nothing else
		if tr -d '\n\t' <"$T/said" | grep -q "[[:cntrl:]]" || grep -q "$(printf '\302\233')" "$T/said"; then
			echo "$command:"
			cat -v "$T/said"
			return 1
		fi
	done
	pouch rm -f rude
	forget
}

it 'checks values before it uses them' values_are_checked
it 'sends nothing to a terminal' nothing_is_sent_to_the_terminal

# ---- users -----------------------------------------------------------------------------------------------------------------------

# A user of the host that the image has not
foreign=$(cut -d: -f1 /etc/passwd | grep -vx -e root -e daemon -e www-data -e nobody -e user | head -n 1)

passwd_is_the_images() {
	[ -n "$foreign" ] || skip 'this host has no user of its own'
	way=$(printf '../%.0s' $(seq 40))
	rm -rf "$T/more"
	mkdir -p "$T/more/etc"
	for to in "${way}etc/passwd" "$host/passwd" "/proc/1/root/etc/passwd" "/proc/self/root/etc/passwd"; do
		grep "^$foreign:" /etc/passwd >"$host/passwd"
		ln -sfn "$to" "$T/more/etc/passwd"
		load users '{}'
		# The naive way finds the host's.
		case $to in
		/proc/*) ;;
		*) has "$foreign:" "$(cat "$T/more/etc/passwd")" ;;
		esac
		one_line pouch run --rm --net none -u "$foreign" users:1 true
		grep -q 'unable to find user\|ymbolic link' "$T/said" || { cat "$T/said"; return 1; }
	done
	nothing_of_containers
	forget
}

passwd_does_not_wait_and_is_not_endless() {
	rm -rf "$T/more"
	mkdir -p "$T/more/etc"
	for kind in fifo zero disk huge directory loop; do
		rm -rf "$T/more/etc/passwd" "$T/more/etc/group"
		case $kind in
		fifo) mkfifo "$T/more/etc/passwd" ;;
		zero) mknod "$T/more/etc/passwd" c 1 5 ;;
		disk) mknod "$T/more/etc/passwd" c 5 1 ;;
		huge) truncate -s 20M "$T/more/etc/passwd" ;;
		directory) mkdir "$T/more/etc/passwd" ;;
		loop) ln -s passwd "$T/more/etc/passwd" ;;
		esac
		cp -a "$T/more/etc/passwd" "$T/more/etc/group"
		load "kind-$kind" '{}'
		took=$(seconds one_line env POUCH_SECONDS=20 timeout 20 "$POUCH_BUILD/pouch" -H "unix://$socket" run --rm --net none -u nosuch "kind-$kind:1" true | tail -n 1)
		echo "$kind: $took s: $(cat "$T/said")"
		[ "$took" -lt 10 ]
	done
	nothing_of_containers
	forget
}

it "finds users in the image's passwd alone" passwd_is_the_images
it 'waits for no passwd, and reads none without end' passwd_does_not_wait_and_is_not_endless

# ---- places ----------------------------------------------------------------------------------------------------------------------

working_directories_stay_inside() {
	rm -rf "$T/more"
	mkdir -p "$T/more"
	ln -s "$host" "$T/more/way"
	ln -s ../../../../../../../../../../../.. "$T/more/up"
	# The naive way makes it on the host.
	mkdir -p "$T/more/way/naive"
	[ -d "$host/naive" ]
	rmdir "$host/naive"
	for dir in /way/made "/up$host/made" /../../../../way/made /up/up/up/way/made; do
		load places "{\"WorkingDir\":\"$dir\"}"
		got=$(pouch run --rm --net none places:1 sh -c '/bin/busybox pwd; ls -A . ../; ls / | head -3') || echo "$dir: $got"
		hasnt secret "$got"
		[ ! -e "$host/made" ] || { echo "$dir made a directory of the host"; return 1; }
		pouch create --name place --net none places:1 sleep 1000
		pouch start place
		got=$(pouch exec place sh -c '/bin/busybox pwd; ls -A . ../') || :
		hasnt secret "$got"
		pouch rm -f place
	done
	rm -f "$host/passwd"
	is secret "$(ls -A "$host")"
	nothing_of_containers
	forget
}

volumes_stay_inside() {
	rm -rf "$T/more"
	mkdir -p "$T/more/real" "$T/more/deep"
	echo inside >"$T/more/real/file"
	ln -s "$host" "$T/more/way"
	ln -s ../../../../../../../../../../../.. "$T/more/up"
	ln -s /real "$T/more/good"
	ln -s "$host" "$T/more/deep/way"
	# The naive way copies the host's.
	is private-bytes "$(cat "$T/more/way/secret")"
	for dir in /way "/up$host" /deep/way "/deep/way/../../..$host" /way/new; do
		load places "{\"Volumes\":{\"$dir\":{}}}"
		pouch create --name place --net none places:1 sh -c "echo x >$dir/new; cat $dir/secret; true" || continue
		hasnt private-bytes "$(pouch start -a place 2>&1 || :)"
		is '' "$(find "$home/volume" -name secret)"
		pouch rm -f -v place
		[ ! -e "$host/new" ] || { echo "$dir wrote to the host"; return 1; }
	done
	rm -f "$host/passwd"
	is secret "$(ls -A "$host")"
	# Inside, a link is followed.
	load places '{"Volumes":{"/good":{}}}'
	is inside "$(pouch run --rm --net none places:1 cat /good/file)"
	# A file's place cannot become a directory; what is special stays where it is.
	mkfifo "$T/more/real/fifo"
	mknod "$T/more/real/device" c 1 3
	load places '{"Volumes":{"/real":{}}}'
	is inside "$(POUCH_SECONDS=20 pouch run --rm --net none places:1 cat /real/file)"
	nothing_of_containers
	forget
}

it 'makes no working directory outside' working_directories_stay_inside
it 'fills no volume from outside, and mounts none there' volumes_stay_inside
