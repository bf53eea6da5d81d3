#!/bin/sh
# docker: the stock docker client and docker-compose against pouchd
. "$(dirname "$0")/../lib.sh"

needs docker
pouchd_start || exit 1
image_load >/dev/null || exit 1

export DOCKER_CONFIG="$T/docker"

d() {
	timeout 60 docker -H "unix://$socket" "$@"
}

versions() {
	says 'Pouch Engine' d version
	is 1.41 "$(d version --format '{{.Server.APIVersion}}')"
	says "$home" d info
}
it 'agrees on a version' versions

runs() {
	is hello "$(d run --rm --net none busybox echo hello)"
	exits 7 d run --rm --net none busybox sh -c 'exit 7'
	exits 127 d run --rm --net none busybox no-such-program
	is 'x y' "$(echo 'x y' | d run --rm -i --net none busybox cat)"
	is '' "$(d ps -aq)"
}
it 'runs containers in the foreground' runs

background() {
	d run -d --name bg -e A=b -v data:/data -l k=v busybox sh -c 'echo out; echo err >&2; exec sleep 1000'
	is bg "$(d ps --format '{{.Names}}')"
	is bg "$(d ps --filter label=k=v --format '{{.Names}}')"
	# shellcheck disable=SC2016 # the container's variable
	is b "$(d exec bg sh -c 'echo $A')"
	eventually 5 says err d logs bg
	has out "$(d logs bg 2>/dev/null)"
	is 'running false' "$(d inspect -f '{{.State.Status}} {{.State.Paused}}' bg)"
	is /bg "$(d inspect -f '{{.Name}}' bg)"
	d pause bg
	has Paused "$(d ps --filter name=bg)"
	d unpause bg
	d rename bg fg
	has sleep "$(d top fg)"
	has fg "$(d stats --no-stream --format '{{.Name}}' fg)"
	d stop -t 0 fg
	is 137 "$(d wait fg)"
	d start fg
	d restart -t 0 fg
	d kill fg
	d rm fg
	has data "$(d volume ls -q)"
	d volume rm data
}
it 'manages a container in the background' background

published() {
	needs curl
	d run -d --name web -p 127.0.0.1:18099:80 busybox \
		sh -c 'mkdir /www; echo page >/www/index.html; exec httpd -f -p 80 -h /www'
	has 18099 "$(d port web)"
	eventually 5 curl -fsS http://127.0.0.1:18099/
	is page "$(curl -fsS http://127.0.0.1:18099/)"
	d rm -f web
}
it 'publishes ports' published

images() {
	d tag busybox other:1
	has other "$(d images --format '{{.Repository}}')"
	d save other:1 -o "$T/saved.tar"
	d rmi other:1
	says other d load -i "$T/saved.tar"
	d rmi other:1
	is linux "$(d image inspect -f '{{.Os}}' busybox)"
}
it 'manages images' images

errors() {
	fails 'no such container' d inspect --type container nobody 2>&1 || fails 'No such container' d inspect --type container nobody
	d create --name taken --net none busybox true
	fails 'taken' d create --name taken --net none busybox true
	d rm taken
	exits 125 d run --rm --net none --memory 1 busybox true
	got=$(d run --rm --net nosuch busybox true 2>&1) && return 1
	has "network 'nosuch' not found" "$got"
	hasnt Unable "$got"
	is '' "$(d ps -aq)"
}
it 'hears what is wrong' errors

copies() {
	d run -d --name cp --net none busybox sleep 1000
	mkdir -p "$T/tree/sub" && echo text >"$T/tree/sub/file" && ln -s sub/file "$T/tree/link"
	d cp "$T/tree" cp:/tmp
	is text "$(d exec cp cat /tmp/tree/link)"
	d cp "$T/tree/." cp:/tmp/new
	is text "$(d exec cp cat /tmp/new/sub/file)"
	d cp cp:/tmp/tree "$T/back"
	is text "$(cat "$T/back/link")"
	d cp -L cp:/tmp/tree/link "$T/followed"
	is text "$(cat "$T/followed")"
	d cp cp:/tmp/new/. - | tar tf - | grep -q '^./sub/file$'
	tar cf - -C "$T/tree" sub | d cp - cp:/tmp
	is text "$(d exec cp cat /tmp/sub/file)"
	fails 'Could not find the file /nosuch in container cp' d cp cp:/nosuch "$T"
	d stop -t 0 cp
	d cp cp:/tmp/sub/file "$T/stopped"
	is text "$(cat "$T/stopped")"
	d rm cp
}
it 'copies files' copies

disk_usage() {
	d run -d --name df --net none -v data:/data busybox sh -c 'head -c 3000000 /dev/urandom >/data/x; sleep 1000'
	eventually 5 d exec df sh -c '[ $(stat -c %s /data/x) = 3000000 ]'
	got=$(d system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}')
	has 'Images 1 1 ' "$got"
	has 'Containers 1 1 ' "$got"
	has 'Local Volumes 1 1 3.0' "$got"
	hasnt 'Images 1 1 0B' "$got"
	has data "$(d system df -v)"
	hasnt 0B "$(d history --format '{{.Size}}' busybox)"
	d rm -f df
	d volume rm data
}
it 'tells what takes space' disk_usage

looks() {
	d run -d --name look --net none busybox sh -c 'echo out; exec sleep 1000'
	sleep 1
	has 'sleep 1000' "$(d top look -o pid,args)"
	eventually 5 says out d logs -t look
	has 'container start' "$(d events --since 1m --until "$(date +%s.%N)" | tail -n 5)"
	d update -m 100m --memory-swap 200m look
	is 104857600 "$(d inspect -f '{{.HostConfig.Memory}}' look)"
	has busybox "$(d ps -s --format '{{.Image}} {{.Size}}')"
	has bridge "$(d network ls --format '{{.Name}}')"
	is bridge "$(d network inspect -f '{{.Driver}}' bridge)"
	fails 'network nosuch' d network inspect nosuch || fails 'not found' d network inspect nosuch
	d kill -s TERM look
	d restart -t 0 look
	d rm -f look
	d volume create seen
	is local "$(d volume inspect -f '{{.Driver}}' seen)"
	d volume rm seen
}
it 'looks at containers, networks and volumes' looks

composes() {
	needs docker-compose
	mkdir "$T/app"
	cat >"$T/app/docker-compose.yml" <<-'END'
		version: "2.4"
		services:
		  web:
		    image: busybox
		    network_mode: bridge
		    command: sh -c "echo web-up; exec sleep 1000"
		    environment: {A: "1"}
		    volumes: ["data:/data", "./:/src:ro"]
		    mem_limit: 64m
		    restart: always
		  job:
		    image: busybox
		    network_mode: none
		    command: sh -c "exit 3"
		volumes:
		  data:
	END
	cd "$T/app"
	export DOCKER_HOST="unix://$socket"
	timeout 60 docker-compose up -d
	eventually 5 says 'Exit 3' docker-compose ps
	says app_web_1 docker-compose ps
	eventually 5 says web-up docker-compose logs
	# shellcheck disable=SC2016
	is 1 "$(docker-compose exec -T web sh -c 'echo $A')"
	has docker-compose.yml "$(docker-compose exec -T web ls /src)"
	timeout 60 docker-compose down -v -t 0
	is '' "$(d ps -aq)"
	is '' "$(d volume ls -q)"
}
it 'obeys docker-compose' composes

