#!/bin/sh
# Hostile registries: what they answer, where they lead, and what a pull leaves
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"
needs curl gzip
# HTTP, and files in the store: 70-registry has all of the kernel that is in it.
[ -z "${AS_KERNEL-}" ] || skip 'registries are attacked on the running kernel: an older one would change nothing'

hostile=$tools/hostile-registry
[ -x "$hostile" ] || skip "there is no $hostile: make build/tests/hostile-registry"

dir=$T/registry
here=127.0.0.1:5091
# An address that is this machine's, but not of loopback: a registry there is one elsewhere.
elsewhere=10.99.0.1:5092
store=$dir/blobs

# hostile_start ADDRESS:PORT: its requests are in $T/requests-PORT
hostile_start() {
	: >"$T/requests-${1##*:}"
	"$hostile" "${1%:*}" "${1##*:}" "$dir" "$T/requests-${1##*:}" >"$T/hostile-${1##*:}" 2>&1 </dev/null &
	echo $! >"$T/registry-${1##*:}.pid"
	eventually 5 grep -q listens "$T/hostile-${1##*:}"
}

requests() {
	cat "$T/requests-$1"
}

# keep FILE: as a blob; $digest and $size are its
keep() {
	digest=$(sha256sum <"$1" | cut -d' ' -f1)
	size=$(wc -c <"$1")
	cp "$1" "$store/$digest"
}

# manifest_of CONFIG LAYER: JSON of an image of these files
manifest_of() {
	keep "$1"
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"%s","digest":"sha256:%s","size":%s},' \
		application/vnd.oci.image.config.v1+json "$digest" "$size"
	keep "$2"
	printf '"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' "$digest" "$size"
}

# config_of DIFF-ID [NAME]
config_of() {
	printf '{"architecture":"amd64","os":"linux","author":"%s","config":{"Cmd":["/none"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"${2-}" "$1"
}

# put NAME TEXT: the manifest of repository NAME/app
put() {
	mkdir -p "$dir/$1"
	printf '%s' "$2" >"$dir/$1/manifest"
}

# image NAME: one of its own in NAME/app, so that pulls share nothing; $layer and $config are its digests
image() {
	mkdir -p "$dir/$1"
	(head -c 100000 /dev/urandom; echo "$1") >"$T/layer/file"
	tar -C "$T/layer" -cf "$T/layer.tar" file
	config_of "$(sha256sum <"$T/layer.tar" | cut -d' ' -f1)" "$1" >"$T/config"
	gzip -nf "$T/layer.tar"
	manifest_of "$T/config" "$T/layer.tar.gz" >"$dir/$1/manifest"
	layer=$digest
	config=$(sha256sum <"$T/config" | cut -d' ' -f1)
	echo "$config" >"$dir/$1/config.digest"
}

# line NAME FILE TEXT: where "redirect" of the repository leads (FILE to), or what "deny" wants (FILE challenge)
line() {
	mkdir -p "$dir/$1"
	echo "$3" >"$dir/$1/$2"
}

mkdir -p "$store" "$T/layer"
slow_ways='drip headdrip silence later'
ways='endless huge cut nothing more fewer other twolengths negative badchunk crumbs longheader manyheaders continue loop garbage
	endlesserror endlessdenial endlessdetour rude'
for way in $slow_ways $ways redirect deny; do
	for stage in manifest config layer; do
		image $stage-$way
	done
done
image honest

hostile_start $here
hostile_start 127.0.0.1:5093
pouchd_start --insecure-registries 10.99.0.1

memory() {
	sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$(cat "$T/pouchd.pid")/status"
}

nothing_is_stored() {
	is '' "$(pouch images -q)"
	# What was cut off may go on later; it is no part of any image.
	is '' "$(cd "$home" && find . -mindepth 3 \( -path './*/layers/*' -o -path './image/blobs/sha256/*' -o -path './*/tmp/*' -o -path './image/images/*' \))"
	find "$home/image/partial" -type f >"$T/partial"
	[ "$(wc -l <"$T/partial")" -le "${1:-0}" ] || { cat "$T/partial"; return 1; }
}

# pull_begin REFERENCE: in the background
pull_begin() {
	pull=$(echo "${1#*/}" | tr '/:@' '___')
	(
		code=0
		timeout "${2:-100}" "$POUCH_BUILD/pouch" -H "unix://$socket" pull "$1" >"$T/out-$pull" 2>"$T/err-$pull" || code=$?
		echo $code >"$T/code-$pull"
	) &
	pulls="$pulls $!"
	names="$names $pull"
}

# pulls_end: each has failed, by itself, with one line that can be printed
pulls_end() {
	for p in $pulls; do
		wait "$p"
	done
	for n in $names; do
		[ "$(cat "$T/code-$n")" = 1 ] && [ "$(wc -l <"$T/err-$n")" = 1 ] && ! grep -q "[[:cntrl:]]" "$T/err-$n" || {
			echo "$n: exit code $(cat "$T/code-$n"): $(cat -v "$T/err-$n")"
			return 1
		}
		cat "$T/err-$n"
	done
	pulls='' names=''
}
pulls='' names=''

# ---- these registries do harm ----------------------------------------------------------------------------------------------------

# naive URL SECONDS: what a client without limits takes in meanwhile
naive() {
	timeout "$2" curl -sL --max-redirs -1 "http://$here/v2/$1" | wc -c
}

the_naive_wait_for_ever() {
	for way in drip headdrip silence; do
		exits 124 timeout 2 curl -s -o /dev/null "http://$here/v2/manifest-$way/app/manifests/1"
	done
	# Newer ones end after thousands, for the sum of all heads.
	timeout 2 curl -sL --max-redirs -1 -o /dev/null "http://$here/v2/manifest-loop/app/manifests/1" || :
	[ "$(requests 5091 | grep -c loop)" -gt 50 ]
}

the_naive_take_it_all() {
	for way in endless endlesserror endlessdenial huge; do
		[ "$(naive "manifest-$way/app/manifests/1" 2)" -gt 100000000 ]
	done
}

the_naive_go_everywhere() {
	line manifest-redirect to http://127.0.0.1:5093/inside
	curl -sL --location-trusted -u user:secret -o /dev/null "http://$here/v2/manifest-redirect/app/manifests/1"
	has 'GET /inside proof:' "$(requests 5093)"
	line manifest-redirect to "file://$dir/honest/config.digest"
	is "$config" "$(curl -sL --proto-redir all,file "http://$here/v2/manifest-redirect/app/manifests/1")"
	: >"$T/requests-5093"
}

honest_ones_are_good() {
	says 'Downloaded newer image' pouch pull $here/honest/app:1
	pouch rmi $here/honest/app:1
	nothing_is_stored
}

it 'makes a naive client wait for ever' the_naive_wait_for_ever
it 'fills a naive client' the_naive_take_it_all
it 'leads a naive client everywhere' the_naive_go_everywhere
it 'can be honest' honest_ones_are_good

# ---- answers ---------------------------------------------------------------------------------------------------------------------

answers_end() {
	before=$(memory VmRSS)
	began=$(date +%s)
	for way in $ways; do
		for stage in manifest config layer; do
			# Of these two the length says what is meant, or the rest is nobody's.
			case $stage-$way in
			manifest-more | manifest-huge | *-negative) continue ;;
			esac
			pull_begin "$here/$stage-$way/app:1"
		done
		# shellcheck disable=SC2086 # one word a process
		[ "$(echo $pulls | wc -w)" -lt 30 ] || pulls_end
	done
	pulls_end
	took=$(($(date +%s) - began))
	grew=$(($(memory VmHWM) - before))
	echo "took $took s, grew by $grew KiB"
	[ $took -lt 120 ]
	[ $grew -lt 300000 ]
	# What was cut off may go on later.
	nothing_is_stored 60
	rm -f "$home"/image/partial/*
}

# The daemon goes on meanwhile, and whoever waits may go.
slow_ones_hold_nobody_up() {
	threads=$(memory Threads)
	for way in $slow_ways; do
		for stage in manifest config layer; do
			pull_begin "$here/$stage-$way/app:1" 6
		done
	done
	sleep 1
	POUCH_SECONDS=5 says 'Downloaded newer image' pouch pull $here/honest/app:1
	POUCH_SECONDS=5 pouch rmi $here/honest/app:1
	for p in $pulls; do
		wait "$p"
	done
	for n in $names; do
		is "$n 124" "$n $(cat "$T/code-$n")"
	done
	pulls='' names=''
	# Their work ends with them.
	eventually 10 sh -c "[ \$(sed -n 's/^Threads:[^0-9]*//p' /proc/$(cat "$T/pouchd.pid")/status) -le $((threads + 2)) ]"
	nothing_is_stored 30
	rm -f "$home"/image/partial/*
}

slow_ones_end() {
	[ "${SECURITY_LONG-}" = yes ] || skip 'takes ten minutes: make check-long'
	for way in $slow_ways; do
		for stage in manifest config layer; do
			pull_begin "$here/$stage-$way/app:1" 1000
		done
	done
	pulls_end
	nothing_is_stored 30
	rm -f "$home"/image/partial/*
}

it 'says in one line what any answer is worth' answers_end
it 'lets no slow registry hold anybody up' slow_ones_hold_nobody_up
it 'ends with slow registries' slow_ones_end

# ---- contents --------------------------------------------------------------------------------------------------------------------

# big_json KIND: texts that cost a careless reader time, memory or its stack
big_json() {
	case $1 in
	depth) awk 'BEGIN { printf "{\"schemaVersion\":2,\"layers\":"; for (i = 0; i < 100000; i++) printf "["; exit }' ;;
	layers) awk 'BEGIN { printf "{\"schemaVersion\":2,\"layers\":["; for (i = 0; i < 150000; i++) printf "{},"; printf "{}]}" }' ;;
	zeros) awk 'BEGIN { printf "{\"schemaVersion\":2,\"x\":["; for (i = 0; i < 1500000; i++) printf "0,"; printf "0]}" }' ;;
	keys) awk 'BEGIN { printf "{\"schemaVersion\":2"; for (i = 0; i < 99990; i++) printf ",\"k%d\":1", i; printf "}" }' ;;
	string) awk 'BEGIN { printf "{\"schemaVersion\":2,\"mediaType\":\""; for (i = 0; i < 3000000; i++) printf "m"; printf "\"}" }' ;;
	annotations) awk 'BEGIN { printf "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:x\",\"size\":1,\"annotations\":{\"a\":\"\""
		for (i = 0; i < 95000; i++) printf ",\"%d\":\"\"", i; printf "}}}" }' ;;
	esac
}

manifests_are_checked() {
	good=$(cat "$dir/honest/manifest")
	for kind in depth layers zeros keys string annotations; do
		put big-$kind "$(big_json $kind)"
		pull_begin $here/big-$kind/app:1
	done
	number=0
	while read -r text; do
		number=$((number + 1))
		put text-$number "$text"
		pull_begin $here/text-$number/app:1
	done <<-END
		
		null
		[]
		{}
		"text"
		{"schemaVersion":"2"}
		{"schemaVersion":1,"fsLayers":[]}
		{"schemaVersion":99}
		{"schemaVersion":2,"layers":{}}
		{"schemaVersion":2,"layers":[[]]}
		{"schemaVersion":2,"layers":[null]}
		{"schemaVersion":2,"config":[]}
		{"schemaVersion":2,"manifests":[]}
		{"schemaVersion":2,"manifests":[{"digest":"sha256:$layer","size":1}]}
		$good$good
		$(echo "$good" | sed 's/"size":/"size":-/')
		$(echo "$good" | sed 's/"size":\([0-9]*\)}]/"size":4611686018427387904}]/')
		$(echo "$good" | sed 's/"size":\([0-9]*\)}]/"size":1}]/')
		$(echo "$good" | sed 's/"size":\([0-9]*\)}]/"size":0}]/')
		$(echo "$good" | sed 's/"size":\([0-9]*\)/"size":1e300/')
		$(echo "$good" | sed 's/"size":\([0-9]*\)/"size":99999999999999999999999/')
		$(echo "$good" | sed 's/"size":\([0-9]*\),*}/"size":"1"}/')
		$(echo "$good" | sed "s/sha256:$layer/sha256:..\\/..\\/..\\/..\\/etc\\/passwd/")
		$(echo "$good" | sed "s/sha256:$layer/sha256:%2e%2e%2f$layer/")
		$(echo "$good" | sed "s/sha256:$layer/sha256:/")
		$(echo "$good" | sed "s/sha256:$layer/md5:d41d8cd98f00b204e9800998ecf8427e/")
		$(echo "$good" | sed "s/sha256:$layer/sha256:$(printf %064d 0)/")
		$(echo "$good" | sed "s/$layer/x/; s/$config/$layer/; s/sha256:x/sha256:$config/")
		$(echo "$good" | sed 's/image.config/\\\\u001b[2Jconfig\\\\n/')
		$(echo "$good" | sed 's/image.layer/\\\\u001b[2Jlayer\\\\n/')
		$(echo "$good" | sed "s/\"layers\":\\[/\"manifests\":[{\"digest\":\"sha256:$layer\",\"size\":1}],\"layers\":[/")
		$(echo "$good" | sed 's/"layers":.*/"layers":[]}/')
	END
	[ $number -gt 30 ]
	pulls_end
	nothing_is_stored
}

# index NAME DIGEST...: an index of manifests; an index is a blob, too
indexes_end() {
	inner=$(cat "$dir/honest/manifest")
	for _ in 1 2 3 4; do
		printf '%s' "$inner" >"$T/inner"
		keep "$T/inner"
		inner=$(printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%s}]}' \
			"$digest" "$size")
	done
	# Whatever it is asked for, it answers with an index of the index: the digest gives it away.
	put index-loop "$inner"
	fails 'another manifest' pouch pull $here/index-loop/app:1
	fails 'another manifest' pouch pull "$here/honest/app@sha256:$config"
	nothing_is_stored
}

it 'checks manifests' manifests_are_checked
it 'takes no manifest for another' indexes_end

# ---- bombs -----------------------------------------------------------------------------------------------------------------------

layers_do_not_explode() {
	# The naive way: a disk fills by a thousand times what came.
	mkdir -p "$T/bomb"
	truncate -s 400M "$T/bomb/zeros"
	tar -C "$T/bomb" -cf - zeros | gzip -9n >"$T/bomb1.gz"
	rm "$T/bomb/zeros"
	[ "$(wc -c <"$T/bomb1.gz")" -lt 2000000 ]
	[ "$(gzip -dc "$T/bomb1.gz" | head -c 300000000 | wc -c)" = 300000000 ]
	# Packed twice; zeros without end, which is an empty archive and then nothing
	gzip -9n <"$T/bomb1.gz" >"$T/bomb2.gz"
	head -c 400000000 /dev/zero | gzip -9n >"$T/bomb3.gz"
	bombs='1 2 3'
	if command -v zstd >/dev/null; then
		head -c 400000000 /dev/zero | zstd -qc >"$T/bomb4.gz"
		bombs='1 2 3 4'
	fi
	config_of "$(printf %064d 1)" >"$T/bomb-config"
	before=$(memory VmRSS)
	for n in $bombs; do
		put bomb-$n "$(manifest_of "$T/bomb-config" "$T/bomb$n.gz")"
		pull_begin $here/bomb-$n/app:1
	done
	pulls_end
	[ "$bombs" = '1 2 3' ] || grep -q 'decompression bomb' "$T/err-bomb-4_app_1"
	grew=$(($(memory VmHWM) - before))
	[ $grew -lt 300000 ]
	nothing_is_stored
	is 0 "$(du -sm "$home" | awk '{ print ($1 > 100) }')"
	rm -f "$T"/bomb*.gz
}

layers_do_not_lie() {
	# Valid, but not what the configuration says
	config_of "$(printf %064d 1)" >"$T/lie-config"
	put lie-diff "$(manifest_of "$T/lie-config" "$T/layer.tar.gz")"
	printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >"$T/lie-config"
	put lie-count "$(manifest_of "$T/lie-config" "$T/layer.tar.gz")"
	for kind in diff count; do
		pull_begin $here/lie-$kind/app:1
	done
	head -c 100000 "$T/layer.tar.gz" >"$T/short.gz"
	put lie-short "$(manifest_of "$T/config" "$T/short.gz")"
	(cat "$T/layer.tar.gz"; echo more) >"$T/long.gz"
	put lie-long "$(manifest_of "$T/config" "$T/long.gz")"
	for kind in short long; do
		pull_begin $here/lie-$kind/app:1
	done
	pulls_end
	nothing_is_stored
}

it 'lets no layer explode' layers_do_not_explode
it 'believes no layer' layers_do_not_lie

# ---- ways ------------------------------------------------------------------------------------------------------------------------

elsewhere_start() {
	[ "${POUCH_TEST_PRIVATE-}" = yes ] || skip 'needs a network namespace of its own'
	[ -e "$T/requests-5092" ] || {
		ip addr add 10.99.0.1/32 dev lo
		hostile_start $elsewhere
		hostile_start 10.99.0.1:5094
	}
	: >"$T/requests-5092"
	: >"$T/requests-5093"
	: >"$T/requests-5094"
}

# pull_with_password REFERENCE: as docker's client does it
pull_with_password() {
	auth=$(printf '{"username":"user","password":"secret"}' | base64 | tr -d '\n')
	curl -sS --max-time 60 --unix-socket "$socket" -X POST -H "X-Registry-Auth: $auth" \
		"http://pouchd/v1.24/images/create?fromImage=${1%:*}&tag=${1##*:}"
}

redirects_do_not_lead_here() {
	elsewhere_start
	says 'Downloaded newer image' pouch pull $elsewhere/honest/app:1
	pouch rmi $elsewhere/honest/app:1
	number=0
	for to in http://127.0.0.1:5093/inside http://localhost:5093/inside http://127.1:5093/inside http://2130706433:5093/inside \
		"http://[::1]:5093/inside" "http://[::ffff:127.0.0.1]:5093/inside" http://0.0.0.0:5093/inside http://169.254.169.254/latest \
		"file://$dir/honest/config.digest" file:///etc/passwd gopher://127.0.0.1:5093/x dict://127.0.0.1:5093/x scp://127.0.0.1/x \
		"unix://$socket" "//127.0.0.1:5093/inside" "http:/\127.0.0.1:5093/inside" ""; do
		number=$((number + 1))
		for stage in manifest layer; do
			image $stage-redirect.$number
			line $stage-redirect.$number to "$to"
			pull_begin $elsewhere/$stage-redirect.$number/app:1
		done
	done
	pulls_end
	is '' "$(requests 5093)"
	# One of these ways is no URL, and leads to another place of the registry.
	nothing_is_stored 10
	rm -f "$home"/image/partial/*
	# One on loopback may: it is here already.
	image layer-redirect.0
	line layer-redirect.0 to "http://127.0.0.1:5093/v2/honest/app/blobs/sha256:$layer"
	says 'Downloaded newer image' pouch pull $here/layer-redirect.0/app:1
	pouch rmi $here/layer-redirect.0/app:1
	has 'GET /v2/honest' "$(requests 5093)"
}

token_servers_are_not_here() {
	elsewhere_start
	number=0
	line token-redirect to http://127.0.0.1:5093/token
	for realm in http://127.0.0.1:5093/token https://127.0.0.1:5093/token http://localhost:5093/token http://user@127.0.0.1:5093/token \
		http://169.254.169.254/latest/meta-data file:///etc/passwd gopher://127.0.0.1:5093/ "http://10.99.0.1:5092/token/token-redirect"; do
		number=$((number + 1))
		line manifest-deny.$number challenge "Bearer realm=\"$realm\",service=\"x\""
		hasnt 'Pull complete' "$(pull_with_password $elsewhere/manifest-deny.$number/app:1)"
		pull_begin $elsewhere/manifest-deny.$number/app:1
	done
	pulls_end
	is '' "$(requests 5093)"
	# One of these ways is no URL, and leads to another place of the registry.
	nothing_is_stored 10
	rm -f "$home"/image/partial/*
}

proofs_are_shown_to_nobody_else() {
	elsewhere_start
	# It wants a password, gets it, and then leads to somebody else.
	line manifest-redirect to http://10.99.0.1:5094/v2/honest/app/manifests/1
	line token-redirect to http://10.99.0.1:5094/token
	line manifest-deny challenge 'Bearer realm="http://10.99.0.1:5092/token/token-redirect"'
	pull_with_password $elsewhere/manifest-redirect/app:1 >/dev/null
	pull_with_password $elsewhere/manifest-deny/app:1 >/dev/null
	has 'GET /token/token-redirect' "$(requests 5092)"
	has 'proof: Basic' "$(requests 5092)"
	has 'GET /' "$(requests 5094)"
	hasnt 'proof:' "$(requests 5094)"
	hasnt secret "$(requests 5094)"
	# Neither in the log
	hasnt secret "$(cat "$T/pouchd.log")"
	hasnt dXNlcjpzZWNyZXQ "$(cat "$T/pouchd.log")"
	images=$(pouch images -q)
	# shellcheck disable=SC2086 # one word an image
	[ -z "$images" ] || pouch rmi -f $images
}

it 'follows no redirect to services of this machine' redirects_do_not_lead_here
it 'asks no token server on this machine' token_servers_are_not_here
it 'shows its proofs to nobody else' proofs_are_shown_to_nobody_else

for port in 5091 5092 5093 5094; do
	[ ! -e "$T/registry-$port.pid" ] || registry_stop $port
done
