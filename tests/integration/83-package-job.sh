#!/bin/sh
# The script that VMs run with the installed package (tests/legacy/package.sh), here with this kernel and a root of busybox
. "$(dirname "$0")/../lib.sh"
. "$tests/private-root.sh"

[ -x "$POUCH_BUILD/pouchd" ] || skip "there is no pouchd in $POUCH_BUILD"
image=$(image_archive) || skip 'busybox-static is not installed'
needs cpio
top=$(cd "$tests/.." && pwd)

# The payload of a newer package: other bytes, the same behaviour.
make_newer() {
	mkdir "$T/programs"
	for program in pouch pouchd pouch-shim pouch-oci pouch-init; do
		cp "$POUCH_BUILD/$program" "$T/programs/"
		echo 'other bytes' >>"$T/programs/$program"
	done
	if command -v rpmbuild >/dev/null && command -v rpm2cpio >/dev/null; then
		sh "$top/rpm/build" "$T/programs" 2.0.0 2 "$T/rpms"
		rpm2cpio "$T/rpms/pouch-2.0.0-2.el6.x86_64.rpm" >"$R/new.cpio"
	else
		sh "$top/rpm/install" "$T/programs" "$T/tree"
		(cd "$T/tree" && find . | cpio -o -H newc --quiet) >"$R/new.cpio"
	fi
}

passes() {
	if ! inside env PACKAGE_IMAGE=/busybox.tar PACKAGE_NEW=/new.cpio sh /tests/legacy/package.sh >"$T/said" 2>&1; then
		grep -A 8 '^not ok' "$T/said" || tail "$T/said"
		return 1
	fi
}

private_root_can_boot
private_root_make
sh "$top/rpm/install" "$POUCH_BUILD" "$R" || exit 1
echo "{\"cgroup-parent\": \"$cgroup_parent\", \"iptables\": false, \"disable-bridge\": true}" >"$R/etc/pouch/config.json"
mkdir -p "$R/tests/legacy"
cp "$tests/lib.sh" "$tests/forget-bridge" "$R/tests/"
cp "$tests/legacy/package.sh" "$R/tests/legacy/"
cp "$image" "$R/busybox.tar"

it 'has a newer package' make_newer
private_root_boot || exit 1
it 'does the main job with busybox alone' passes
private_root_halt
