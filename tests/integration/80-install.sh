#!/bin/sh
# make install puts everything where it belongs, and nothing elsewhere
. "$(dirname "$0")/../lib.sh"

needs make
root=$T/root

everything_is_there() {
	(cd "$tests/.." && make -s install DESTDIR="$root" PREFIX=/opt/pouch SYSCONFDIR=/etc)
	for program in pouch pouchd pouch-shim pouch-oci pouch-init; do
		[ -x "$root/opt/pouch/bin/$program" ]
	done
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

installed_programs_run() {
	says 'pouch' "$root/opt/pouch/bin/pouch" --help
	says 'pouch-oci' "$root/opt/pouch/bin/pouch-oci" --version
	says 'CAPABILITY' "$root/opt/pouch/bin/pouch" -H "unix://$T/nobody.sock" compat
}
it 'installs programs that run' installed_programs_run
