#!/bin/sh
# The runtime's own program file, which runs as root on the host: no container may write to it (CVE-2019-5736)
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

bundle
attack_install "$bundle/rootfs"
printf '#!/proc/self/exe\n' >"$bundle/rootfs/evil"
chmod 755 "$bundle/rootfs/evil"

# The runtime is attacked in a copy of its own, whatever comes of it. As pouch-oci takes a file that has no name any more for one that
# nobody will execute again, and leaves it as it is, a deleted copy is a runtime without the defence.
program=$T/pouch-oci
cp "$POUCH_BUILD/pouch-oci" "$program"
sum=$(sha256sum <"$program")

protected() {
	timeout 30 "$program" --root "$oci_root" "$@"
}

unprotected() {
	timeout 30 /proc/self/fd/8 --root "$oci_root" "$@"
}

open_unprotected() {
	cp "$program" "$T/victim"
	exec 8<"$T/victim"
	rm "$T/victim"
}

program_is_whole() {
	is "$sum" "$(sha256sum <"$program")"
}

is_overwritten() {
	is '#!/bin/overwritten' "$(head -n 1 /proc/self/fd/8)"
}

# loader_install FILE: the attacker's program as the runtime's dynamic loader, which does what FILE in the root says
loader_install() {
	loader=$(dynamic_loader "$program")
	[ -n "$loader" ] || return 0
	mkdir -p "$bundle/rootfs${loader%/*}"
	cp "$attack" "$bundle/rootfs$loader"
	: >"$bundle/rootfs/$1"
}

loader_remove() {
	rm -rf "$bundle/rootfs/loader" "$bundle/rootfs/linger" "$bundle/rootfs/lib64" "$bundle/rootfs/lib"
}

# loader_attack RUNTIME: the program is "#!/proc/self/exe", and its dynamic loader is the attacker's
loader_attack() {
	loader_install loader
	[ -n "$loader" ] || skip 'this build has no dynamic loader'
	args='"/evil"' config
	"$1" run -d -b "$bundle" "$id" </dev/null >"$T/loader.out" 2>&1 8<&8 || cat "$T/loader.out"
	eventually 6 grep -q held "$T/loader.out" || :
	protected delete -f "$id"
	loader_remove
	cat "$T/loader.out"
	grep -q 'loaded by the program' "$T/loader.out"
}

# watcher_attack RUNTIME: a process of the container waits for the program of an exec
watcher_attack() {
	loader_install linger
	args='"/bin/attack", "overwrite", "2+20"' config
	"$1" run -d -b "$bundle" "$id" </dev/null >"$T/watcher.out" 2>&1
	eventually 3 grep -q watching "$T/watcher.out"
	rm -f "$T/agent"
	! has_agent "$id" || : >"$T/agent"
	tries=0
	while [ $tries -lt 100 ] && ! grep -q held "$T/watcher.out"; do
		"$1" exec "$id" /evil </dev/null >/dev/null 2>&1 || :
		tries=$((tries + 1))
	done
	eventually 6 grep -q held "$T/watcher.out"
	protected delete -f "$id"
	loader_remove
	cat "$T/watcher.out"
	grep -q 'holds /proc' "$T/watcher.out"
}

loader_overwrites_what_is_unprotected() {
	open_unprotected
	loader_attack unprotected
	is_overwritten
	program_is_whole
}

watcher_overwrites_what_is_unprotected() {
	open_unprotected
	watcher_attack unprotected
	! has 'overwrote 0' "$(cat "$T/watcher.out")" || [ ! -e "$T/agent" ] ||
		skip 'without setns the agent executes the same file for as long as the container lives: it is busy'
	has 'overwrote 1' "$(cat "$T/watcher.out")"
	is_overwritten
}

loader_fails() {
	hide "$1"
	loader_attack protected
	program_is_whole
}

watcher_fails() {
	hide "$1"
	watcher_attack protected
	program_is_whole
}

it 'overwrites an unprotected runtime by its loader' loader_overwrites_what_is_unprotected
it 'overwrites an unprotected runtime by watching for it' watcher_overwrites_what_is_unprotected
it 'keeps it whole by a read-only mount: loader' loader_fails ''
it 'keeps it whole by a sealed copy: loader' loader_fails mount_setattr
it 'keeps it whole by a private copy: loader' loader_fails mount_setattr,memfd
it 'keeps it whole by a read-only mount: watcher' watcher_fails ''
it 'keeps it whole by a sealed copy: watcher' watcher_fails mount_setattr
it 'keeps it whole by a private copy: watcher' watcher_fails mount_setattr,memfd
