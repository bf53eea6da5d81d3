#!/bin/sh
# make install puts everything where it belongs, and nothing elsewhere
. "$(dirname "$0")/../lib.sh"

needs make
root=$T/root

everything_is_there() {
	(cd "$tests/.." && make -s install DESTDIR="$root" PREFIX=/opt/pouch SYSCONFDIR=/etc)
	for program in bin/pouch bin/pouchd libexec/pouch/pouch-shim libexec/pouch/pouch-oci libexec/pouch/pouch-init; do
		[ -x "$root/opt/pouch/$program" ]
	done
	is /opt/pouch/libexec/pouch/pouch-oci "$(readlink "$root/opt/pouch/bin/pouch-oci")"
	[ -x "$root/etc/init.d/pouch" ]
	[ -s "$root/etc/pouch/compat.xml" ]
	[ -s "$root/etc/sysconfig/pouch" ]
	[ -s "$root/etc/logrotate.d/pouch" ]
	grep -q '^program=/opt/pouch/bin/pouchd$' "$root/etc/init.d/pouch"
	grep -q '^ExecStart=/opt/pouch/bin/pouchd ' "$root/opt/pouch/lib/systemd/system/pouch.service"
	! grep -r /usr/bin/ "$root/etc" "$root/opt/pouch/lib"
	[ -s "$root/opt/pouch/share/man/man1/pouch.1" ]
	[ -s "$root/opt/pouch/share/man/man8/pouchd.8" ]
	[ -s "$root/opt/pouch/share/man/man8/pouch-oci.8" ]
	[ -s "$root/opt/pouch/share/man/man5/compat.xml.5" ]
	[ -s "$root/opt/pouch/share/pouch/profile.xml" ]
	[ -s "$root/opt/pouch/share/bash-completion/completions/pouch" ]
	is '{}' "$(cat "$root/etc/pouch/config.json")"
	is 'etc opt' "$(cd "$root" && echo *)"
}
it 'installs programs, manual and configuration under DESTDIR' everything_is_there

configuration_is_kept() {
	echo '{"debug":true}' >"$root/etc/pouch/config.json"
	(cd "$tests/.." && make -s install DESTDIR="$root" PREFIX=/opt/pouch)
	is '{"debug":true}' "$(cat "$root/etc/pouch/config.json")"
}
it 'keeps a configuration that is there' configuration_is_kept

# layout_works BIN: a pouchd in BIN finds its helpers
layout_works() {
	image_file=$(image_archive) || skip 'busybox-static is not installed'
	layout_build=$POUCH_BUILD
	POUCH_BUILD=$1
	pouchd_start --iptables=false --disable-bridge
	pouch load -i "$image_file"
	is hello "$(pouch run --rm --init --net none busybox echo hello)"
	pouchd_stop
	POUCH_BUILD=$layout_build
}

helpers_are_found_beside_and_in_libexec() {
	rm -rf "$T/one"
	mkdir "$T/one"
	cp "$POUCH_BUILD/pouch" "$POUCH_BUILD/pouchd" "$POUCH_BUILD/pouch-shim" "$POUCH_BUILD/pouch-init" "$T/one/"
	layout_works "$T/one"
	layout_works "$root/opt/pouch/bin"
	mv "$root/opt/pouch/libexec" "$root/opt/pouch/away"
	POUCH_BUILD=$root/opt/pouch/bin
	pouchd_start --iptables=false --disable-bridge
	fails "program 'pouch-shim' is neither in" pouch run --rm --net none busybox true
	pouchd_stop
	mv "$root/opt/pouch/away" "$root/opt/pouch/libexec"
}

# podman and containerd are given this path, or find it in PATH.
runtime_works_by_its_link() {
	ln -sfn "$root/opt/pouch/libexec/pouch/pouch-oci" "$root/opt/pouch/bin/pouch-oci"
	says 'pouch-oci version' env PATH="$root/opt/pouch/bin:$PATH" pouch-oci --version
	mkdir -p "$T/bundle/rootfs/bin"
	cp "$(command -v busybox)" "$T/bundle/rootfs/bin/busybox"
	PATH=$root/opt/pouch/bin:$PATH
	(cd "$T/bundle" && pouch-oci spec && sed -i 's|"terminal": true|"terminal": false|; s|"sh"|"/bin/busybox", "echo", "by its link"|' config.json)
	is 'by its link' "$(pouch-oci --root "$T/oci" run -b "$T/bundle" by-link)"
}

installed_programs_run() {
	says 'pouch' "$root/opt/pouch/bin/pouch" --help
	says 'pouch-oci' "$root/opt/pouch/libexec/pouch/pouch-oci" --version
	says 'CAPABILITY' "$root/opt/pouch/bin/pouch" -H "unix://$T/nobody.sock" compat
}
it 'installs programs that run' installed_programs_run
it 'finds its helpers beside itself and in libexec' helpers_are_found_beside_and_in_libexec
it 'has a runtime that is found by its link' runtime_works_by_its_link
