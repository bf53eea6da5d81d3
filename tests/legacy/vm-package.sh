#!/bin/sh
# vm-package - the files of the package on the root disk, and its service script at work (package.sh); runs in a guest of tests/legacy/vm
if ! [ -r /vm/package.cpio ]; then
	echo 'ok 1 - the package # SKIP tests/legacy/vm has put none into this guest'
	exit
fi
if ! said=$(cd / && cpio -idmu </vm/package.cpio 2>&1); then
	echo 'not ok 1 - unpacks the package'
	echo "$said" | sed 's/^/# /'
	exit 1
fi
export PACKAGE_IMAGE=/pouch/build/test-images/busybox.tar PACKAGE_NEW=/vm/newer.cpio
exec sh "$(dirname "$0")/package.sh"
