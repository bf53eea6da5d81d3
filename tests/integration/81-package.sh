#!/bin/sh
# The package: what is in it, what it wants from an rpm as old as CentOS 6's, and what installing, upgrading and erasing do
. "$(dirname "$0")/../lib.sh"
. "$tests/private-root.sh"

needs rpm rpmbuild rpm2cpio cpio
rpm --version 2>/dev/null | grep -q '^RPM version' || skip 'the rpm of this shell is not the real one'
[ -x "$POUCH_BUILD/pouchd" ] || skip "there is no pouchd in $POUCH_BUILD"
top=$(cd "$tests/.." && pwd)

# The database of a root is its own; Debian's rpm warns about itself.
rpm_in() {
	rpm --root "$R" --dbpath /var/lib/rpm "$@"
}

# build RELEASE: sets $package
build() {
	SOURCE_DATE_EPOCH=1700000000 sh "$top/rpm/build" "$POUCH_BUILD" 2.0.0 "$1" "$T/rpms"
	package=$T/rpms/pouch-2.0.0-$1.el6.x86_64.rpm
	[ -s "$package" ]
}

query() {
	rpm -qp --qf "$1" "$package"
}

# ---- the file -----------------------------------------------------------------------------------------------------------------------------

is_built() {
	build 1
	is 'pouch 2.0.0 1.el6 x86_64 linux' "$(query '%{name} %{version} %{release} %{arch} %{os}')"
}

is_the_same_twice() {
	sum=$(sha256sum <"$package")
	build 1
	is "$sum" "$(sha256sum <"$package")"
}

# mode owner group place, of everything
has_files() {
	rpm -qp --qf '[%{filemodes:perms} %{fileusername} %{filegroupname} %{filenames}\n]' "$package" | sort -k 4 >"$T/got"
	cat >"$T/expected" <<-END
		lrwxrwxrwx root root /etc/bash_completion.d/pouch
		-rwxr-xr-x root root /etc/init.d/pouch
		-rw-r--r-- root root /etc/logrotate.d/pouch
		drwxr-xr-x root root /etc/pouch
		-rw-r--r-- root root /etc/pouch/compat.xml
		-rw-r--r-- root root /etc/pouch/config.json
		-rw-r--r-- root root /etc/sysconfig/pouch
		-rwxr-xr-x root root /usr/bin/pouch
		lrwxrwxrwx root root /usr/bin/pouch-oci
		-rwxr-xr-x root root /usr/bin/pouchd
		-rw-r--r-- root root /usr/lib/systemd/system/pouch.service
		drwxr-xr-x root root /usr/libexec/pouch
		-rwxr-xr-x root root /usr/libexec/pouch/pouch-init
		-rwxr-xr-x root root /usr/libexec/pouch/pouch-oci
		-rwxr-xr-x root root /usr/libexec/pouch/pouch-shim
		-rw-r--r-- root root /usr/share/bash-completion/completions/pouch
		drwxr-xr-x root root /usr/share/doc/pouch
		-rw-r--r-- root root /usr/share/doc/pouch/LICENSE
		-rw-r--r-- root root /usr/share/doc/pouch/README.md
		-rw-r--r-- root root /usr/share/doc/pouch/compat.md
		-rw-r--r-- root root /usr/share/man/man1/pouch.1
		-rw-r--r-- root root /usr/share/man/man5/compat.xml.5
		-rw-r--r-- root root /usr/share/man/man8/pouch-oci.8
		-rw-r--r-- root root /usr/share/man/man8/pouchd.8
		drwxr-xr-x root root /usr/share/pouch
		-rw-r--r-- root root /usr/share/pouch/profile.xml
	END
	diff "$T/expected" "$T/got"
	is "/etc/logrotate.d/pouch /etc/pouch/compat.xml /etc/pouch/config.json /etc/sysconfig/pouch" \
		"$(rpm -qp --qf '[%{fileflags:fflags} %{filenames}\n]' "$package" | sed -n 's/^cn //p' | sort | tr '\n' ' ' | sed 's/ $//')"
}

# rpm 4.8 refuses a package that names a feature which it does not know.
wants_no_newer_rpm() {
	is 'gzip 9 8' "$(query '%{payloadcompressor} %{payloadflags} %{filedigestalgo}')"
	rpm -qp --requires "$package" | sort -u >"$T/requires"
	cat >"$T/known" <<-END
		/bin/sh
		/usr/sbin/groupadd
		iptables
		rpmlib(CompressedFileNames) <= 3.0.4-1
		rpmlib(FileDigests) <= 4.6.0-1
		rpmlib(PayloadFilesHavePrefix) <= 4.0-1
	END
	diff "$T/known" "$T/requires"
	for newer in recommends suggests supplements enhances; do
		is '' "$(rpm -qp "--$newer" "$package")"
	done
	case $(query '%{evr}') in
	*[~^]*) return 1 ;;
	esac
	for scriptlet in prein postin preun postun; do
		is /bin/sh "$(query "%{${scriptlet}prog}")"
	done
}

# The same list serves "make install".
is_what_make_install_installs() {
	mkdir "$T/made" "$T/unpacked"
	sh "$top/rpm/install" "$POUCH_BUILD" "$T/made"
	(cd "$T/unpacked" && rpm2cpio "$package" | cpio -idm --quiet)
	diff -r --no-dereference "$T/made" "$T/unpacked"
}

has_scriptlets_for_any_shell() {
	for script in "$top"/rpm/scriptlets/* "$top/rpm/pouch.init"; do
		for shell in dash 'busybox sh' 'bash --posix'; do
			command -v "${shell%% *}" >/dev/null || continue
			$shell -n "$script"
		done
	done
}

completes_words() {
	needs bash
	# shellcheck disable=SC2016 # for bash
	says create bash -c '
		PATH=$1:$PATH
		. "$2"
		COMP_WORDS=(pouch cr) COMP_CWORD=1
		_pouch
		echo "${COMPREPLY[@]}"' bash "$POUCH_BUILD" "$T/made/usr/share/bash-completion/completions/pouch"
}

# ---- installed ----------------------------------------------------------------------------------------------------------------------------

# A package of busybox which provides what ours requires, so that dependencies are really resolved.
base_installed() {
	private_root_make
	cat >"$T/base.spec" <<-END
		%define _binary_payload w1.gzdio
		%define debug_package %{nil}
		%define __os_install_post %{nil}
		Name: base
		Version: 1
		Release: 1
		Summary: stand-in
		License: none
		BuildArch: noarch
		AutoReqProv: no
		Provides: /bin/sh iptables /usr/sbin/groupadd
		%description
		stand-in
		%files
	END
	rpmbuild -bb --quiet --define "_topdir $T/base" --define "_rpmdir $T/rpms" --define "_dbpath $T/db" "$T/base.spec" >"$T/base.log" 2>&1
	rpm_in --initdb
	rpm_in -i "$T"/rpms/noarch/base-1-1.noarch.rpm
}

# Says what was called; a SysV host's chkconfig.
chkconfig_is_there() {
	printf '#!/bin/sh\necho "chkconfig $*" >>/calls\n' >"$R/sbin/chkconfig"
	chmod 755 "$R/sbin/chkconfig"
	rm -f "$R/calls"
}

is_installed() {
	build 1
	chkconfig_is_there
	rpm_in -iv "$package"
	is 'pouch-2.0.0-1.el6.x86_64' "$(rpm_in -q pouch)"
	grep -q '^pouch:x:[0-9]*:$' "$R/etc/group"
	is 'chkconfig --add pouch' "$(cat "$R/calls")"
	is '' "$(rpm_in -V pouch)"
	is /etc/init.d/pouch "$(rpm_in -ql pouch | grep init.d)"
}

has_programs_that_find_each_other() {
	! ldd "$POUCH_BUILD/pouchd" 2>&1 | grep -q libasan || skip 'the sanitizers need /proc, which the root has not'
	says 'pouchd 2.' chroot "$R" /usr/bin/pouchd --version
	says 'pouch-oci' chroot "$R" pouch-oci --version
	is /usr/libexec/pouch/pouch-oci "$(readlink "$R/usr/bin/pouch-oci")"
	says 'listen unix:///var/run/pouchd.sock' chroot "$R" /usr/bin/pouchd --validate
}

# rpm leaves the changed file and puts the new one beside it, when the new package's differs.
is_upgraded() {
	echo '{"debug": true}' >"$R/etc/pouch/config.json"
	echo '# ours' >>"$R/etc/sysconfig/pouch"
	rm -f "$R/calls"
	mkdir "$T/newer"
	cp -a "$top/compat" "$top/docs" "$top/rpm" "$top/README.md" "$top/LICENSE" "$T/newer/"
	echo '{ }' >"$T/newer/rpm/config.json"
	SOURCE_DATE_EPOCH=1700000001 sh "$T/newer/rpm/build" "$POUCH_BUILD" 2.0.0 2 "$T/rpms"
	rpm_in -Uv "$T/rpms/pouch-2.0.0-2.el6.x86_64.rpm"
	is 'pouch-2.0.0-2.el6.x86_64' "$(rpm_in -q pouch)"
	is '{"debug": true}' "$(cat "$R/etc/pouch/config.json")"
	is '{ }' "$(cat "$R/etc/pouch/config.json.rpmnew")"
	is '# ours' "$(tail -n 1 "$R/etc/sysconfig/pouch")"
	[ ! -e "$R/etc/sysconfig/pouch.rpmnew" ]
	is 'chkconfig --add pouch' "$(cat "$R/calls")"
}

is_erased() {
	rm -f "$R/calls"
	mkdir -p "$R/var/lib/pouch/containers"
	says 'left in /var/lib/pouch' rpm_in -e pouch
	fails 'not installed' rpm_in -q pouch
	is 'chkconfig --del pouch' "$(cat "$R/calls")"
	[ -d "$R/var/lib/pouch/containers" ]
	[ ! -e "$R/usr/libexec/pouch" ]
	[ ! -e "$R/usr/bin/pouch-oci" ]
	[ ! -e "$R/etc/init.d/pouch" ]
	is '{"debug": true}' "$(cat "$R/etc/pouch/config.json.rpmsave")"
	grep -q '^pouch:' "$R/etc/group"
}

# Where there is a systemctl, the service belongs to it and chkconfig is not asked.
is_registered_once() {
	chkconfig_is_there
	printf '#!/bin/sh\necho "systemctl $*" >>/calls\n' >"$R/bin/systemctl"
	chmod 755 "$R/bin/systemctl"
	rpm_in -i "$package"
	is 'systemctl daemon-reload;systemctl preset pouch.service' "$(paste -sd ';' "$R/calls")"
	rm -f "$R/calls"
	rpm_in -U "$T/rpms/pouch-2.0.0-2.el6.x86_64.rpm"
	is 'systemctl daemon-reload;systemctl daemon-reload;systemctl try-restart pouch.service' "$(paste -sd ';' "$R/calls")"
	rm -f "$R/calls"
	rpm_in -e pouch
	is 'systemctl --no-reload disable pouch.service;systemctl stop pouch.service;systemctl daemon-reload' "$(paste -sd ';' "$R/calls")"
}

it 'is built' is_built
package=$T/rpms/pouch-2.0.0-1.el6.x86_64.rpm
[ -e "$package" ] || exit 1
it 'is the same when it is built again' is_the_same_twice
it 'has every file with its mode and owner, and keeps configuration' has_files
it 'wants nothing that rpm 4.8 lacks' wants_no_newer_rpm
it 'holds what make install installs' is_what_make_install_installs
it 'has scriptlets that every shell reads' has_scriptlets_for_any_shell
it 'completes words in bash' completes_words
private_root_can_boot
it 'has its dependencies in the private root' base_installed
[ -e "$R/var/lib/rpm" ] || exit 1
it 'is installed, makes its group, and is registered with chkconfig' is_installed
it 'has programs that find each other' has_programs_that_find_each_other
it 'is upgraded, and changed configuration stays' is_upgraded
it 'is erased, and containers and changed configuration stay' is_erased
it 'is registered with systemd where that is, and only there' is_registered_once
