#!/bin/sh
# 55-storage-dm.sh - root file systems on device-mapper: both modes, killed daemons, full pools and disks
. "$(dirname "$0")/../lib.sh"

grep -q device-mapper /proc/misc 2>/dev/null || skip 'this kernel has no device-mapper'
[ "$(id -u)" = 0 ] || skip 'device-mapper needs root'
command -v mke2fs >/dev/null || [ -x /sbin/mke2fs ] || skip 'mke2fs is not installed'
for name in home other none; do
	mkdir -p "$T/$name"
done
echo '{}' >"$T/none.json"

# start DRIVER [OPTION...]: a home of its own for each driver
start() {
	driver=$1
	shift
	pouchd_start --disable-bridge --storage-driver "$driver" --storage-opt dm.basesize=96M "$@"
}

# only DRIVER: skips the test where this kernel lacks what the driver needs
only() {
	if timeout 60 "$POUCH_BUILD/pouchd" --home-dir "$T/none" --exec-root-dir "$T/none-run" --listen "unix://$T/none.sock" --pidfile '' \
		--config-file "$T/none.json" --disable-bridge --storage-driver "$1" --storage-opt no.such=option >"$T/why" 2>&1; then
		echo 'an unknown option was taken'
		return 1
	fi
	grep -q 'no.such' "$T/why" || skip "$(tail -n 1 "$T/why")"
}

# devices: names of those that belong to this home
devices() {
	for dir in "$home"/devmapper-*; do
		[ -d "$dir" ] || continue
		cat /sys/block/dm-*/dm/name 2>/dev/null | grep -e "-$(printf %x "$(stat -c %i "$dir")")-" || :
	done
}

# containers' devices alone
devices_of_containers() {
	devices | grep -v -e '-pool$' || :
}

no_devices() {
	is '' "$(devices)"
	is '' "$(grep -l "$home" /sys/block/loop*/loop/backing_file 2>/dev/null)"
	is '' "$(our_mounts | grep "$home" || :)"
}

# sh_in NAME SCRIPT: in a running container
sh_in() {
	pouch exec "$1" sh -c "$2"
}

keeper() {
	pouch run -d --name "$1" --net none busybox sleep 100000
}

# ---- the ordinary life ---------------------------------------------------------------------------------------------------------

changes_stay() {
	only "$1"
	start "$@"
	image_load
	says "Storage Driver: $1" pouch info
	says 'Base File System: ext4' pouch info
	keeper web
	is 1 "$(devices_of_containers | wc -l)"
	sh_in web 'echo mine >/mine; rm /bin/busybox.none 2>/dev/null; dd if=/dev/zero of=/big bs=1024 count=2048 2>/dev/null; sync'
	says "\"DeviceName\": \"$(devices_of_containers)\"" pouch inspect web
	# 2 MiB and what ext4 writes around them
	size=$(pouch inspect -s -f '{{.SizeRw}}' web)
	[ "$size" -gt 2000000 ] && [ "$size" -lt 60000000 ] || { echo "SizeRw is $size"; return 1; }
	pouch run --rm --net none busybox test ! -e /mine
	pouch stop -t 0 web
	is '' "$(devices_of_containers)"
	pouch start web
	is mine "$(sh_in web 'cat /mine')"
	pouchd_kill9
	start "$@"
	is mine "$(sh_in web 'cat /mine')"
	pouch rm -f web
	pouch rmi busybox
	is '' "$(find "$home/$1/layers" "$home/$1/rootfs" "$home/$1/tmp" -mindepth 1 -maxdepth 1)"
	pouchd_stop
	no_devices
}
it 'keeps changes of containers (snapshot)' changes_stay devmapper-snapshot
it 'keeps changes of containers (thin)' changes_stay devmapper-thin --storage-opt dm.loopdatasize=128M --storage-opt dm.loopmetadatasize=4M

# ---- killed daemons ------------------------------------------------------------------------------------------------------------

# Creates, starts and removes until it is killed, or its daemon is.
churn() {
	i=0
	while [ $i -lt 50 ]; do
		i=$((i + 1))
		pouch run --rm --name "churn-$1-$i" --net none busybox true
	done >/dev/null 2>&1
}

killed_at_any_moment() {
	only "$1"
	start "$@"
	image_load
	keeper stays
	sh_in stays 'echo here >/here'
	round=0
	while [ $round -lt "${CRASHES:-12}" ]; do
		round=$((round + 1))
		churn $round &
		churner=$!
		# From 0.1 s on, in steps that fall anywhere in a container's life.
		sleep "$(awk -v r=$round 'BEGIN { srand(r); printf "%.2f", 0.1 + rand() * 1.9 }')"
		pouchd_kill9
		kill $churner 2>/dev/null || :
		wait $churner 2>/dev/null || :
		start "$@"
		is here "$(sh_in stays 'cat /here')"
	done
	# Nothing but the one that stays.
	for c in $(pouch ps -aq --no-trunc); do
		is stays "$(pouch inspect -f '{{.Name}}' "$c")" >/dev/null || pouch rm -f "$c"
	done
	is 1 "$(devices_of_containers | wc -l)"
	is 1 "$(find "$home/$1/rootfs" -mindepth 1 -maxdepth 1 | wc -l)"
	is '' "$(find "$home/$1/tmp" -mindepth 1 -maxdepth 1)"
	pouch rm -f stays
	pouchd_stop
	no_devices
}
it 'is whole again after the daemon was killed at any moment (snapshot)' killed_at_any_moment devmapper-snapshot
it 'is whole again after the daemon was killed at any moment (thin)' killed_at_any_moment devmapper-thin --storage-opt dm.loopdatasize=128M --storage-opt dm.loopmetadatasize=4M

# ---- full disks and pools ------------------------------------------------------------------------------------------------------

# Where a full disk would leave pages locked for ever, blocks are found when a file is written; CentOS 6 has the kernel's mend.
allocates_in_time() {
	only devmapper-snapshot
	start devmapper-snapshot
	image_load
	keeper one
	options=$(awk -v p="$home" 'index($2, p) == 1 && $3 == "ext4" { print $4 }' /proc/mounts)
	case $(uname -r) in
	*.el6*) hasnt nodelalloc "$options" ;;
	2.6.*) has nodelalloc "$options" ;;
	*) hasnt nodelalloc "$options" ;;
	esac
	[ -n "$options" ]
	pouch rm -f one
	pouchd_stop
}
it 'delays no allocation where the kernel cannot undo it (snapshot)' allocates_in_time

full_disk() {
	only devmapper-snapshot
	truncate -s 160M "$T/disk.img" 2>/dev/null || dd if=/dev/zero of="$T/disk.img" bs=1 count=0 seek=160M 2>/dev/null
	mke2fs -q -F -t ext4 -O none,has_journal,extent,filetype,dir_index,sparse_super,large_file "$T/disk.img"
	mkdir "$T/disk"
	mount -o loop "$T/disk.img" "$T/disk" || skip 'a file cannot be mounted here'
	home_before=$home
	home=$T/disk/home
	start devmapper-snapshot
	image_load
	keeper one
	keeper two
	sh_in one 'echo kept >/kept; sync'
	dd if=/dev/zero of="$T/disk/filler" bs=65536 2>/dev/null || :
	# One of the two finds no room for what it writes, and fails as a whole; the other has written nothing. Not much is written: CentOS 6's
	# snapshots fail when all that is under way has failed, one chunk after the other, and each asks the disk's journal for room first.
	sh_in one 'dd if=/dev/zero of=/big bs=65536 count=40; sync' || :
	eventually 10 grep -q 'its snapshot is full' "$T/pouchd.log"
	sh_in two 'test -x /bin/busybox'
	pouch stop -t 0 one
	fails 'free some space and start it again' pouch start one
	rm "$T/disk/filler"
	pouch start one
	is kept "$(sh_in one 'cat /kept')"
	pouch rm -f one two
	pouchd_stop
	no_devices
	umount "$T/disk"
	home=$home_before
}
it 'loses nothing to a full disk but says so (snapshot)' full_disk

a_small_limit() {
	only devmapper-snapshot
	start devmapper-snapshot --storage-opt dm.cowsize=32M
	image_load
	keeper one
	sh_in one 'echo kept >/kept; sync'
	sh_in one 'dd if=/dev/zero of=/big bs=65536 count=800; sync' || :
	eventually 10 grep -q 'its snapshot is full' "$T/pouchd.log"
	has 'full' "$(pouch inspect one)"
	pouch stop -t 0 one
	fails 'dm.cowsize' pouch start one
	pouchd_stop
	start devmapper-snapshot --storage-opt dm.cowsize=96M
	pouch start one
	is kept "$(sh_in one 'cat /kept')"
	pouch rm -f one
	pouchd_stop
	no_devices
}
it 'makes a snapshot that ran full usable again (snapshot)' a_small_limit

# file_as_device FILE SIZE: attaches a new file, and prints the device
file_as_device() {
	truncate -s "$2" "$1"
	device=$(losetup -f)
	losetup "$device" "$1" && echo "$device"
}

full_pool() {
	only devmapper-thin
	needs losetup truncate
	data=$(file_as_device "$T/data.img" 40M) || skip 'no loop device can be set up here'
	metadata=$(file_as_device "$T/metadata.img" 4M)
	home_before=$home
	home=$T/pool-home
	set -- devmapper-thin --storage-opt "dm.datadev=$data" --storage-opt "dm.metadatadev=$metadata"
	fails 'go together' timeout 30 "$POUCH_BUILD/pouchd" --home-dir "$T/none" --exec-root-dir "$T/none-run" --listen "unix://$T/none.sock" \
		--pidfile '' --config-file "$T/none.json" --disable-bridge --storage-driver devmapper-thin --storage-opt "dm.datadev=$data"
	start "$@"
	image_load
	says 'Pool State: good' pouch info
	keeper one
	keeper two
	sh_in two 'echo kept >/kept; sync'
	sh_in one 'dd if=/dev/zero of=/big bs=65536 count=1000; sync' || :
	eventually 10 grep -q 'no free block' "$T/pouchd.log"
	fails 'no free block' pouch run --rm --net none busybox true
	is kept "$(sh_in two 'cat /kept')"
	pouch rm -f one
	pouch run --rm --net none busybox true
	is kept "$(sh_in two 'cat /kept')"
	pouch rm -f two
	pouchd_stop
	# Another home must not take the pool over.
	fails 'is not of this home' timeout 30 "$POUCH_BUILD/pouchd" --home-dir "$T/other" --exec-root-dir "$T/other-run" \
		--listen "unix://$T/none.sock" --pidfile '' --config-file "$T/none.json" --disable-bridge --storage-driver devmapper-thin \
		--storage-opt "dm.datadev=$data" --storage-opt "dm.metadatadev=$metadata"
	home=$home_before
	fails 'without dm.datadev' timeout 30 "$POUCH_BUILD/pouchd" --home-dir "$home" --exec-root-dir "$T/other-run" \
		--listen "unix://$T/none.sock" --pidfile '' --config-file "$T/none.json" --disable-bridge --storage-driver devmapper-thin \
		--storage-opt "dm.datadev=$data" --storage-opt "dm.metadatadev=$metadata"
	losetup -d "$data"
	losetup -d "$metadata"
}
it 'goes on when a pool was full (thin)' full_pool

growth() {
	only devmapper-thin
	start devmapper-thin --storage-opt dm.loopdatasize=24M --storage-opt dm.loopmetadatasize=2M
	image_load
	keeper one
	i=0
	while [ $i -lt 10 ]; do
		i=$((i + 1))
		sh_in one "dd if=/dev/zero of=/big$i bs=65536 count=48 2>/dev/null; sync"
		sleep 1.2
	done
	is 31457280 "$(sh_in one 'cat /big* | wc -c')"
	[ "$(wc -c <"$home/devmapper-thin/data")" -gt 33554432 ]
	pouch rm -f one
	pouchd_stop
	no_devices
}
it 'enlarges the files of its pool (thin)' growth
