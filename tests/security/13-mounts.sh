#!/bin/sh
# Mounts that are led elsewhere: names exchanged while they are mounted, links, masks and /proc that are not what they seem
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

bundle
attack_install "$bundle/rootfs"
outside=$T/outside
mkdir "$outside"
echo secret >"$outside/secret"

# What the kernel lets a container write, with the value that is there; root without capabilities owns the file.
precious=/proc/sys/kernel/core_pattern

untouched() {
	is secret "$(ls -A "$outside")"
	is secret "$(cat "$outside/secret")"
}

# ---- mount points exchanged with links ------------------------------------------------------------------------------------------

# A directory and a link to the outside change places all the while, as a container does with which the volume is shared.
swapper_start() {
	shared=$bundle/rootfs/shared
	rm -rf "$shared"
	mkdir -p "$shared/target"
	ln -s "$outside" "$shared/link"
	"$attack" swap "$shared/target" "$shared/link" "$1" >"$T/swapped" &
	swapper=$!
}

swapper_stop() {
	wait $swapper || { cat "$T/swapped"; return 1; }
	grep -q 'swapped [0-9][0-9][0-9]' "$T/swapped" || skip "$(cat "$T/swapped")"
}

# The defence switched off: the target is looked at, and used by its path.
paths_are_led_outside() {
	swapper_start 2
	tries=0
	while [ ! -e "$outside/made" ] && [ $tries -lt 2000 ]; do
		[ -L "$shared/target" ] || mkdir "$shared/target/made" 2>/dev/null || :
		rmdir "$shared/target/made" 2>/dev/null || :
		[ -L "$shared/target" ] || true 2>/dev/null >"$shared/target/made" || :
		tries=$((tries + 1))
	done
	swapper_stop
	got=0
	[ -e "$outside/made" ] || got=1
	rm -rf "$outside/made"
	return $got
}

mounts_stay_inside() {
	hide "$1"
	swapper_start 3
	args=$(sh_args 'cat /proc/self/mountinfo; ls -R /shared; cat /shared/target/secret /shared/target/made/secret') \
		mounts="{\"destination\":\"/shared/target/made\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},
			{\"destination\":\"/shared/target/file\",\"type\":\"bind\",\"source\":\"/etc/hostname\",\"options\":[\"bind\",\"ro\"]},
			{\"destination\":\"/shared/target\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"tmpcopyup\"]}" config
	ran=0
	while kill -0 $swapper 2>/dev/null; do
		got=$(oci run -b "$bundle" "$id" 2>/dev/null) && ran=$((ran + 1))
		hasnt secret "$got"
		hasnt "$outside" "$(cat "/proc/self/mounts")"
		untouched
	done
	swapper_stop
	echo "ran $ran times"
	nothing_of "$id"
	rm -rf "$shared" "$bundle/rootfs$T"
}

# Either root is good; half of one is not.
roots_are_not_mixed() {
	mkdir "$T/second"
	cp -a "$bundle/rootfs" "$T/second/rootfs"
	echo first >"$bundle/rootfs/which"
	echo second >"$T/second/rootfs/which"
	ln -s "$T/second/rootfs" "$bundle/link"
	args=$(sh_args 'cat /which; grep -c " /proc proc\\| /dev tmpfs\\| /dev/shm tmpfs" /proc/mounts; echo x >/written') config
	"$attack" swap "$bundle/rootfs" "$bundle/link" 2 >"$T/swapped" &
	swapper=$!
	while kill -0 $swapper 2>/dev/null; do
		got=$(oci run -b "$bundle" "$id" 2>/dev/null | tr '\n' ' ')
		case $got in
		'first 3 ' | 'second 3 ' | '') ;;
		*) echo "got '$got'"; exit 1 ;;
		esac
	done
	swapper_stop
	[ ! -L "$bundle/rootfs" ] || "$attack" swap "$bundle/rootfs" "$bundle/link" 0 >/dev/null
	[ ! -L "$bundle/rootfs" ] || { rm "$bundle/rootfs"; mv "$bundle/link" "$bundle/rootfs"; }
	[ ! -e "$bundle/link" ] || rm "$bundle/link"
	rm -rf "$T/second" "$bundle/rootfs/written"
	hasnt ' /' "$(our_mounts)"
}

it 'leads outside whoever uses a path' paths_are_led_outside
it 'keeps mounts inside: by openat2' mounts_stay_inside ''
it 'keeps mounts inside: without openat2' mounts_stay_inside openat2
it 'keeps mounts inside: as on 2.6.32' mounts_stay_inside openat2,o_path,new-mount-api,mount_setattr
it 'mixes no roots' roots_are_not_mixed

# ---- masks ------------------------------------------------------------------------------------------------------------------------

masked_paths_are_open_without_masks() {
	echo private >"$bundle/rootfs/private"
	masked='' readonly_paths=''
	is private "$(run_sh 'cat /private')"
	run_sh "cat $precious >/tmp/was; cat /tmp/was >$precious"
}

links_do_not_unmask() {
	hide "$1"
	mkdir -p "$bundle/rootfs/deep"
	ln -sf /private "$bundle/rootfs/absolute"
	ln -sf ../../../../../../private "$bundle/rootfs/deep/climbing"
	ln -sf "$outside/secret" "$bundle/rootfs/leading-out"
	ln -sf loop "$bundle/rootfs/loop"
	masked='"/absolute"'
	is '' "$(run_sh 'cat /absolute /private')"
	masked='"/deep/climbing"'
	is '' "$(run_sh 'cat /deep/climbing /private')"
	masked='"/leading-out"'
	is '' "$(run_sh 'cat /leading-out 2>/dev/null')" || [ $? = 1 ]
	masked='"/loop"' args='"true"' config
	fails 'ymbolic link' oci run -b "$bundle" "$id"
	untouched
}

# The image's /dev/null leads to what is precious: were it bound on the masked path, writing to that would be writing there. CVE-2025-31133
hostile_null_masks_nothing_else() {
	hide "$1"
	rm -rf "$bundle/rootfs/dev"
	mkdir "$bundle/rootfs/dev"
	ln -s "$precious" "$bundle/rootfs/dev/null"
	no_proc_mounts='{"destination":"/tmp","type":"tmpfs","source":"tmpfs"}' masked='"/private"' readonly_paths='"/proc/sys"'
	args=$(sh_args 'stat -c %t:%T /private; cat /private; echo nothing >/private; echo done') config
	got=$(oci run -b "$bundle" "$id" 2>&1) || :
	case $got in
	*'/dev/null'*) ;; # refused: good as well
	*) is '1:3
done' "$got" ;;
	esac
	rm -rf "$bundle/rootfs/dev"
	mkdir "$bundle/rootfs/dev"
	hasnt nothing "$(cat $precious)"
}

# The same with the console, which is bound before anything is masked. CVE-2025-52565
hostile_console_leads_nowhere() {
	needs script
	hide "$1"
	rm -rf "$bundle/rootfs/dev"
	mkdir -p "$bundle/rootfs/dev/pts"
	ln -s "$precious" "$bundle/rootfs/dev/console"
	no_proc_mounts='{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance","ptmxmode=0666"]}' terminal=true
	args=$(sh_args "echo nothing >/dev/console; cat /proc/self/mountinfo") config
	# Either it is bound on the link itself, or that is refused: nothing is bound where the link leads.
	got=$(script -qc "'$POUCH_BUILD/pouch-oci' --root '$oci_root' run -b '$bundle' '$id'" /dev/null </dev/null 2>&1) || :
	rm -rf "$bundle/rootfs/dev"
	mkdir "$bundle/rootfs/dev"
	case $got in
	*' /dev/console '* | *"open '/dev/console'"*) hasnt " $precious " "$got" ;;
	*) echo "$got"; return 1 ;;
	esac
	hasnt nothing "$(cat $precious)"
}

precious_paths_are_read_only() {
	fails 'Read-only' run_sh "cat $precious >/tmp/was; cat /tmp/was >$precious"
	fails '' run_sh 'mount -o remount,rw /proc/sys'
	fails '' run_sh 'umount /proc/sys'
	fails '' run_sh 'unshare -m umount /proc/sys'
}

it 'shows what is not masked' masked_paths_are_open_without_masks
it 'masks what links lead to' links_do_not_unmask ''
it 'masks what links lead to: as on 2.6.32' links_do_not_unmask openat2,o_path,new-mount-api,mount_setattr
it 'masks by the null device of the host' hostile_null_masks_nothing_else ''
it 'masks by it as on 2.6.32' hostile_null_masks_nothing_else openat2,o_path,new-mount-api,mount_setattr
it 'binds no console where a link leads' hostile_console_leads_nowhere ''
it 'binds none there as on 2.6.32' hostile_console_leads_nowhere openat2,o_path,new-mount-api,mount_setattr
it 'keeps precious paths read-only' precious_paths_are_read_only

# ---- /proc ------------------------------------------------------------------------------------------------------------------------

on_proc() {
	args='"true"' mounts="{\"destination\":\"$1\",\"type\":\"$2\",\"source\":\"$3\",\"options\":[\"${4:-nosuid}\"]}" config
	oci run -b "$bundle" "$id"
}

# What a false /proc is for: a program that writes there by path is told that all went well.
false_proc_swallows_writes() {
	mkdir -p "$T/false/self/attr"
	: >"$T/false/self/attr/exec"
	needs unshare
	unshare -m sh -ec "mount --bind '$T/false' /proc; echo label >/proc/self/attr/exec"
	is label "$(cat "$T/false/self/attr/exec")"
}

nothing_is_mounted_on_proc() {
	ln -sfn /proc/self "$bundle/rootfs/to-self"
	ln -sfn proc "$bundle/rootfs/to-proc"
	fails 'for the proc file system only' on_proc /proc tmpfs tmpfs
	fails 'for the proc file system only' on_proc /proc bind "$T/false" rbind
	fails 'for the proc file system only' on_proc /to-proc bind "$T/false" rbind
	fails 'for the proc file system only' on_proc /to-self/.. tmpfs tmpfs
	for path in /proc/self/attr /proc/1/attr /to-self/attr /proc/sys /proc/sys/kernel /to-proc/self/task /./proc//self/../self/attr; do
		fails 'inside of /proc' on_proc "$path" tmpfs tmpfs
		fails 'inside of /proc' on_proc "$path" bind "$T/false" rbind
	done
	fails 'inside of /proc' on_proc /proc/self/attr/exec bind "$T/false/self/attr/exec" bind
	fails 'inside of /proc' on_proc /proc/self/oom_adj bind "$T/false/self/attr/exec" bind
	# What shows resources may be covered, and the host's /proc may be shown.
	on_proc /proc/meminfo bind "$T/false/self/attr/exec" bind
	on_proc /proc bind /proc rbind
	rm "$bundle/rootfs/to-self" "$bundle/rootfs/to-proc"
	nothing_of "$id"
}

proc_that_is_a_link_is_refused() {
	rmdir "$bundle/rootfs/proc"
	for to in elsewhere /sys ../../../../proc; do
		ln -s "$to" "$bundle/rootfs/proc"
		args='"true"' config
		got=0
		fails 'must be mounted on ordinary directory' oci run -b "$bundle" "$id" || got=1
		rm "$bundle/rootfs/proc"
		[ $got = 0 ] || break
	done
	mkdir "$bundle/rootfs/proc"
	return $got
}

it 'shows what a false /proc is for' false_proc_swallows_writes
it 'mounts nothing on /proc' nothing_is_mounted_on_proc
it 'refuses a /proc that is a link' proc_that_is_a_link_is_refused
