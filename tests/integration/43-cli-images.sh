#!/bin/sh
# cli: images: pull, load, save, tag, rmi, and how they are shown
. "$(dirname "$0")/../lib.sh"

needs docker-registry curl
registry_start 5043 || exit 1
registry_push "$(image_archive)" team/app:1 || exit 1
pouchd_start || exit 1
image=$registry/team/app:1

pulls() {
	got=$(pouch pull "$image")
	has 'Pull complete' "$got"
	has 'Status: Downloaded newer image' "$got"
	has "$image" "$(pouch images)"
	has 'Image is up to date' "$(pouch pull "$image")"
	is "$image" "$(pouch pull -q "$image")"
	fails "failed to pull image $registry/team/app:nosuch" pouch pull "$registry/team/app:nosuch"
	fails 'failed to pull image 127.0.0.1:1/x' pouch pull 127.0.0.1:1/x
	fails 'invalid' pouch pull 'UPPER/Case'
}
it 'pulls, with a line for each step' pulls

runs_what_is_missing() {
	pouch rmi "$image"
	got=$(pouch run --rm --net none "$image" echo ran 2>"$T/progress")
	is ran "$got"
	has 'Pull complete' "$(cat "$T/progress")"
	is ran "$(pouch run --rm --net none --pull never "$image" echo ran)"
	is ran "$(pouch run --rm --net none --pull always "$image" echo ran 2>/dev/null)"
	fails 'nosuch' pouch run --rm --pull never "$registry/nosuch" true
}
it 'pulls what run needs' runs_what_is_missing

tables() {
	has 'IMAGE ID       IMAGE NAME' "$(pouch images)"
	has sha256: "$(pouch images --digest)"
	has sha256: "$(pouch images --no-trunc)"
	is 12 "$(printf %s "$(pouch images -q)" | wc -c)"
	is "$registry/team/app 1" "$(pouch images --format '{{.Repository}} {{.Tag}}')"
	has 'REPOSITORY' "$(pouch images --format 'table {{.Repository}}\t{{.Size}}')"
	is '' "$(pouch images -q nosuch)"
	is "$(pouch images -q)" "$(pouch image ls -q)"
}
it 'lists them' tables

tags() {
	pouch tag "$image" other
	pouch tag "$image" "$registry/x/y:z"
	is 3 "$(pouch images | tail -n +2 | wc -l)"
	says other pouch rmi other
	has "$registry/x/y:z" "$(pouch image inspect -f '{{join .RepoTags " "}}' "$image")"
	says x/y pouch rmi "$registry/x/y:z"
	fails 'no such image' pouch tag nosuch other
	fails 'failed to remove image nosuch' pouch rmi nosuch
}
it 'tags and removes names' tags

in_use() {
	pouch create --net none --name user "$image" true
	fails 'failed to remove image' pouch rmi "$(pouch images -q)"
	pouch rm user
}
it 'keeps what a container uses' in_use

archives() {
	pouch tag "$image" saved:1
	pouch save -o "$T/saved.tar" saved:1
	pouch save saved:1 >"$T/piped.tar"
	exits 1 test -e "$T/saved.tar.part"
	pouch rmi saved:1
	says 'Loaded image: saved:1' pouch load -i "$T/saved.tar"
	pouch rmi saved:1
	has 'Loaded image: saved:1' "$(pouch load <"$T/piped.tar")"
	pouch rmi saved:1
	gzip -c "$T/saved.tar" | pouch load
	pouch rmi saved:1
	fails 'failed to save image nosuch' pouch save -o "$T/none.tar" nosuch
	exits 1 test -e "$T/none.tar"
	exits 1 test -e "$T/none.tar.part"
	fails 'No such file' pouch load -i "$T/none.tar"
	fails 'failed to load image' pouch load -i /etc/passwd
	pouch save -o /dev/null "$image"
	exits 0 test -c /dev/null
}
it 'saves and loads' archives

inspection() {
	is linux "$(pouch image inspect -f '{{.Os}}' "$image")"
	is "$(pouch image inspect -f '{{.ID}}' "$image")" "sha256:$(pouch images -q --no-trunc | sed 's/^sha256://')"
	fails 'Fetch object error' pouch image inspect nosuch
	has RootFS "$(pouch inspect --type image "$image")"
}
it 'inspects images' inspection

platforms() {
	fails 'failed to run container' pouch run --rm --net none --platform linux/s390x "$image" true
	is ran "$(pouch run --rm --net none --platform linux/amd64 "$image" echo ran)"
}
it 'asks for the platform that was named' platforms
it 'stops the registry' registry_stop 5043
