#!/bin/sh
# cli: a daemon elsewhere: TCP, TLS with certificates, the docker client
. "$(dirname "$0")/../lib.sh"

needs openssl
[ "${POUCH_TEST_PRIVATE-}" = yes ] || skip 'its ports need a network namespace of its own'

# certificate NAME SUBJECT EXTENSION: a key and a certificate signed by the CA
certificate() {
	openssl req -newkey rsa:2048 -nodes -keyout "$T/$1.key" -out "$T/$1.csr" -subj "/CN=$2" 2>/dev/null &&
		printf '%s\n' "$3" >"$T/$1.ext" &&
		openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.crt" -CAkey "$T/ca.key" -CAcreateserial -days 2 -out "$T/$1.crt" \
			-extfile "$T/$1.ext" 2>/dev/null
}
{
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/ca.key" -out "$T/ca.crt" -days 2 -subj /CN=test-ca 2>/dev/null
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/other.key" -out "$T/other.crt" -days 2 -subj /CN=other-ca 2>/dev/null
	certificate server localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1'
	certificate client someone 'extendedKeyUsage=clientAuth'
} || exit 1

pouchd_start --listen tcp://127.0.0.1:4243 --tlsverify --tlscacert "$T/ca.crt" --tlscert "$T/server.crt" --tlskey "$T/server.key" ||
	exit 1
image_load >/dev/null || exit 1

remote() {
	timeout 60 "$POUCH_BUILD/pouch" -H tcp://localhost:4243 "$@"
}

secure() {
	remote --tlsverify --tlscacert "$T/ca.crt" --tlscert "$T/client.crt" --tlskey "$T/client.key" "$@"
}

over_tls() {
	says 'Server:' secure version
	says busybox secure images
	exits 7 secure run --rm --net none busybox sh -c 'exit 7'
	is hello "$(echo hello | secure run -i --rm --net none busybox cat)"
	head -c 3000000 /dev/urandom >"$T/bytes"
	secure run -i --rm --net none busybox cat <"$T/bytes" | cmp - "$T/bytes"
	says Loaded secure load -i "$(image_archive)"
}
it 'works over TLS, attached too' over_tls

not_trusted() {
	fails 'do not trust' remote --tlsverify --tlscacert "$T/other.crt" --tlscert "$T/client.crt" --tlskey "$T/client.key" version
	fails 'Error' remote --tlsverify --tlscacert "$T/ca.crt" version
	fails 'Error' remote version
	fails "read --tlscacert" remote --tlsverify --tlscacert "$T/nosuch" version
	fails 'mismatch' remote --tlscert "$T/client.crt" --tlskey "$T/server.key" version
	fails 'cannot connect to pouchd at localhost:4999' "$POUCH_BUILD/pouch" -H tcp://localhost:4999 version
}
it 'trusts nobody without the right certificate' not_trusted

environment() {
	is 1.24 "$(POUCH_HOST=unix://$socket "$POUCH_BUILD/pouch" version -f '{{.ApiVersion}}')"
	says 'POST' "$POUCH_BUILD/pouch" -D -H "unix://$socket" create --name dbg --net none busybox true
	pouch rm dbg
}
it 'takes the host from the environment, and shows its calls' environment

docker_client() {
	needs docker
	docker() {
		timeout 60 env DOCKER_HOST="unix://$socket" HOME="$T" docker "$@"
	}
	says 'Server:' docker version
	is hi "$(docker run --rm --network none busybox echo hi)"
	code=0
	docker run --rm --network none busybox sh -c 'exit 9' || code=$?
	is 9 $code
	is hello "$(echo hello | docker run -i --rm --network none busybox cat)"
	docker run -d --name dk --network none busybox sh -c 'echo out; sleep 1000'
	has dk "$(docker ps)"
	is in "$(docker exec dk echo in)"
	eventually 5 says out docker logs dk
	is 'running /dk' "$(docker inspect -f '{{.State.Status}} {{.Name}}' dk)"
	has sleep "$(docker top dk)"
	docker rename dk dk2
	docker stop -t 0 dk2
	docker rm dk2
	has busybox "$(docker images)"
	docker tag busybox two
	docker save two | docker load
	docker rmi two
}
it 'serves the docker client' docker_client
