#!/bin/sh
# vm-speed - what the substitutes for layered root file systems cost on a real kernel: nothing is judged, it prints what it measured
#
# Runs in a guest of tests/legacy/vm when it is asked for (VM_TESTS=vm-speed), on its disk. In milliseconds: "run --rm busybox true" with
# each storage driver that the kernel has, with the default network and with none, and "create" from an image of 295 MB in 8,100 files, for
# which a copy has to copy all. VM_ICOUNT=2 makes guests comparable while the host is busy.
POUCH_TEST_PRIVATE=no
. "$(dirname "$0")/../lib.sh"

# An emulated processor takes its time to unpack the image.
export POUCH_SECONDS=900

fresh=$T
now() {
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# median ROUNDS PAUSE COMMAND...: with that many seconds before each round
median() {
	median_rounds=$1
	median_pause=$2
	shift 2
	i=0
	: >"$fresh/rounds"
	while [ $i -lt "$median_rounds" ]; do
		i=$((i + 1))
		sleep "$median_pause"
		begin=$(now)
		"$@" >/dev/null 2>"$fresh/said" || { cat "$fresh/said"; return 1; }
		echo $(($(now) - begin)) >>"$fresh/rounds"
	done
	sort -n "$fresh/rounds" | sed -n "$(((median_rounds + 1) / 2))p"
}

# The text of a test that passes is not shown, so measured lines go round it.
tell() {
	echo "# $*" >&3
}

[ -e /vm/big.tar ] || skip 'tests/legacy/vm has put no image on this disk'

# run_time NETWORK: of one run with a pause before it, and of one right after another
run_time() {
	alone=$(median 9 2 pouch run --rm --net "$1" busybox true) || { echo "$alone"; return 1; }
	close=$(median 9 0 pouch run --rm --net "$1" busybox true) || { echo "$close"; return 1; }
	tell "$driver: run --rm --net $1 busybox true: $alone ms, one after the other $close ms"
}

# measured DRIVER
measured() {
	driver=$1
	pouchd_start --storage-driver "$driver" || { cat "$fresh/pouchd.log"; return 1; }
	image_load
	# Old kernels take up to half a second to take a network namespace apart, and make no other meanwhile: hence the pauses.
	run_time bridge
	run_time none
	pouch load -i "/vm/big.tar"
	tell "$driver: create from 295 MB: $(median 3 0 pouch create --net none big true) ms"
	# shellcheck disable=SC2046 # one word a container
	pouch rm -f $(pouch ps -aq)
	pouchd_stop
	rm -rf "$home"
}

# has_driver DRIVER: skips what this kernel lacks
has_driver() {
	case $1 in
	overlay) grep -qw overlay /proc/filesystems || skip 'this kernel has no overlay' ;;
	devmapper*) grep -q device-mapper /proc/misc || skip 'this kernel has no device-mapper' ;;
	esac
}

one_driver() {
	has_driver "$1"
	measured "$@"
}

exec 3>&1
it 'measures overlay' one_driver overlay
it 'measures snapshots of device-mapper' one_driver devmapper-snapshot
it 'measures copies' one_driver copy
