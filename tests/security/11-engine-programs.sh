#!/bin/sh
# The files of the engine's programs, which containers meet as shim, as runtime of an exec and as their first process
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

# Whatever comes of it, the attacked files are copies.
programs=$T/programs
mkdir "$programs"
for p in pouch pouchd pouch-shim pouch-oci pouch-init; do
	cp "$POUCH_BUILD/$p" "$programs/"
done
POUCH_IMAGES=$(image_archive) || skip 'there is no image'
POUCH_BUILD=$programs
sums=$(sha256sum "$programs"/*)
printf '#!/proc/self/exe\n' >"$T/evil"
chmod 755 "$T/evil"
: >"$T/loader"
cp "$attack" "$T/attack"
chmod 755 "$T/attack"

programs_are_whole() {
	is "$sums" "$(sha256sum "$programs"/*)"
}

# hostile OPTION...: a container whose program is the attacker's, whatever asks for a dynamic loader; one that has ended already tells its status
hostile() {
	loader=$(dynamic_loader "$programs/pouch-shim")
	pouch run -d --net none -v "$T/evil:/evil:ro" -v "$T/attack:/bin/attack:ro" ${loader:+-v "$T/attack:$loader:ro" -v "$T/$behaviour:/$behaviour:ro"} "$@" || [ $? -lt 125 ]
}

ended() {
	is exited "$(pouch inspect -f '{{.State.Status}}' "$1")"
}

a_shim_is_no_prey() {
	behaviour=loader hostile --name prey busybox /evil
	[ -z "$loader" ] || eventually 5 says 'held' pouch logs prey
	eventually 5 ended prey
	got=$(pouch logs prey 2>&1)
	pouch rm -f prey
	programs_are_whole
	[ -n "$loader" ] || skip "a static shim does not live long enough as a container's program; it is whole"
	has 'loaded by the program' "$got"
	has 'held 1, overwrote 0' "$got"
}

an_exec_is_no_prey() {
	: >"$T/linger"
	behaviour=linger hostile --name prey busybox /bin/attack overwrite 3
	for _ in 1 2 3 4 5; do
		pouch exec prey /evil >/dev/null 2>&1 || :
	done
	eventually 5 ended prey
	got=$(pouch logs prey 2>&1)
	pouch rm -f prey
	programs_are_whole
	has 'overwrote 0' "$got"
	[ -z "$loader" ] || has 'holds /proc' "$got"
}

# With a writable bind mount, which is the defence switched off, the first process's file is lost.
writable_first_processes_are_lost() {
	bundle
	attack_install "$bundle/rootfs"
	cp "$programs/pouch-init" "$T/init"
	: >"$bundle/rootfs/sbin-init"
	mounts="{\"destination\":\"/sbin-init\",\"type\":\"bind\",\"source\":\"$T/init\",\"options\":[\"bind\"]}"
	got=$(run_sh '/bin/attack overwrite 1 /sbin-init') || :
	has 'overwrote 1' "$got"
	is '#!/bin/overwritten' "$(head -n 1 "$T/init")"
}

first_processes_are_whole() {
	got=$(pouch run --rm --net none --init -v "$T/attack:/bin/attack:ro" busybox sh -c '
		file=$(readlink /proc/1/exe)
		echo "it is $file"
		attack overwrite 1 $file /proc/1/exe
		rm -f $file; mv $file /x; echo x >$file') || :
	echo "$got"
	has 'it is /' "$got"
	has 'overwrote 0' "$got"
	programs_are_whole
}

pouchd_start
pouch load -i "$POUCH_IMAGES" >/dev/null

it 'keeps the shim whole' a_shim_is_no_prey
it 'keeps what makes an exec whole' an_exec_is_no_prey
it 'loses a first process that is mounted writable' writable_first_processes_are_lost
it 'keeps the first process of --init whole' first_processes_are_whole
