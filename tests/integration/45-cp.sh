#!/bin/sh
# cp: files into containers and out of them, running or not; what must not lead out
. "$(dirname "$0")/../lib.sh"

pouchd_start || exit 1
image_load >/dev/null || exit 1

mkdir "$T/work" "$T/bind"
cd "$T/work" || exit 1

pouch run -d --net none --name on --tmpfs /scratch -v "$T/bind:/bind" -v data:/data busybox sleep 10000 >/dev/null || exit 1
pouch create --net none --name off -v "$T/bind:/bind" -v data:/data busybox sleep 10000 >/dev/null || exit 1
both='on off'

in_container() {
	pouch exec on "$@"
}

# show CONTAINER PATH: the content of a file, by the archive itself
show() {
	pouch cp "$1:$2" - | tar xOf -
}

# names CONTAINER PATH: what the archive lists
names() {
	pouch cp "$1:$2" - | tar tf - | sort
}

files_go_in_and_out() {
	echo hello >one
	for c in $both; do
		pouch cp one "$c:/tmp"
		is hello "$(show "$c" /tmp/one)"
		pouch cp "$c:/tmp/one" "two-$c"
		is hello "$(cat "two-$c")"
		pouch cp one "$c:/tmp/renamed"
		is hello "$(show "$c" /tmp/renamed)"
		# over an existing file
		echo other >three
		pouch cp three "$c:/tmp/renamed"
		is other "$(show "$c" /tmp/renamed)"
		pouch cp "$c:/tmp/renamed" one-again
		pouch cp "$c:/tmp/one" one-again
		is hello "$(cat one-again)"
	done
	is hello "$(in_container cat /tmp/one)"
}
it 'copies files, under their own name or another' files_go_in_and_out

directories_by_the_rules() {
	mkdir -p tree/sub && echo a >tree/a && echo b >tree/sub/b
	for c in $both; do
		# the destination does not exist: it becomes the copy
		pouch cp tree "$c:/tmp/new"
		is a "$(show "$c" /tmp/new/a)"
		# it exists: the copy goes into it
		pouch cp tree "$c:/tmp/new"
		is b "$(show "$c" /tmp/new/tree/sub/b)"
		# only the content
		pouch cp tree/. "$c:/tmp/content"
		is a "$(show "$c" /tmp/content/a)"
		pouch cp tree/. "$c:/tmp/content"
		fails 'Could not find the file /tmp/content/tree in container' pouch cp "$c:/tmp/content/tree" -
		rm -rf out into
		pouch cp "$c:/tmp/new" out
		is b "$(cat out/sub/b)"
		pouch cp "$c:/tmp/new" out
		is b "$(cat out/new/sub/b)"
		mkdir into
		pouch cp "$c:/tmp/content/." into
		is a "$(cat into/a)"
		is "$(printf 'content/\ncontent/a\ncontent/sub/\ncontent/sub/b')" "$(names "$c" /tmp/content)"
		is "$(printf './\n./a\n./sub/\n./sub/b')" "$(names "$c" /tmp/content/.)"
		is "$(printf 'content/\ncontent/a\ncontent/sub/\ncontent/sub/b')" "$(names "$c" /tmp/content/)"
	done
}
it 'copies directories by the rules of docker' directories_by_the_rules

mistakes_are_said() {
	echo x >file
	mkdir -p tree
	for c in $both; do
		pouch cp file "$c:/tmp/file"
		fails 'cannot copy directory' pouch cp tree "$c:/tmp/file"
		fails 'no such directory' pouch cp file "$c:/tmp/nosuch/"
		fails 'Could not find the file' pouch cp file "$c:/nosuch/dir/file"
		fails 'Could not find the file /nosuch in container' pouch cp "$c:/nosuch" .
		fails 'is not a directory' pouch cp "$c:/tmp/file/" .
		fails 'cannot copy directory' pouch cp "$c:/tmp" file
		fails 'no such directory' pouch cp "$c:/tmp/file" nosuch/
		fails "the directory of 'nosuch/file'" pouch cp "$c:/tmp/file" nosuch/file
	done
	is x "$(cat file)"
	fails 'no such container: nobody' pouch cp nobody:/etc .
	fails 'no such container: nobody' pouch cp file nobody:/etc
	fails "open 'nosuch'" pouch cp nosuch on:/tmp
	fails 'not between containers' pouch cp on:/etc off:/tmp
	fails 'is CONTAINER:PATH' pouch cp file file2
	fails 'the source is empty' pouch cp on: file2
	fails "needs 2 arguments" pouch cp on:/etc
	exits 1 pouch cp nobody:/etc .
}
it 'says what is wrong' mistakes_are_said

kinds_are_kept() {
	mkdir kinds
	echo x >kinds/file && chown 12:34 kinds/file && chmod 4750 kinds/file
	ln kinds/file kinds/hard
	ln -s file kinds/soft && ln -s /nosuch kinds/dangling
	mkfifo kinds/fifo && chmod 642 kinds/fifo
	mknod kinds/dev c 1 3 && chmod 604 kinds/dev
	touch -d @1000000000 kinds/file
	mkdir kinds/dir && chmod 1777 kinds/dir && touch -d @1100000000 kinds/dir
	list='%n %F %a %t:%T %Y %h'
	for c in $both; do
		pouch cp kinds "$c:/tmp/kinds"
		rm -rf back && pouch cp -a "$c:/tmp/kinds" back
		is "0:0 $(stat -c '%F' kinds/file)" "$(stat -c '%u:%g %F' back/file)"
		rm -rf back
		pouch cp -a kinds "$c:/tmp/owned"
		pouch cp -a "$c:/tmp/owned" back
		for f in file hard soft dangling fifo dev; do
			is "$(cd kinds && stat -c "$list" $f | sed 's/ [0-9]* \([0-9]*\)$/ \1/')" \
				"$(cd back && stat -c "$list" $f | sed 's/ [0-9]* \([0-9]*\)$/ \1/')"
		done
		is '12:34 4750 1000000000' "$(stat -c '%u:%g %a %Y' back/file)"
		is '1777 1100000000' "$(stat -c '%a %Y' back/dir)"
		is "$(stat -c %i back/file)" "$(stat -c %i back/hard)"
		# whose files these become without -a: not root's with setuid
		rm -rf plain && pouch cp "$c:/tmp/owned" plain
		is "$(id -u):$(id -g) 750" "$(stat -c '%u:%g %a' plain/file)"
	done
	is '12:34 4750' "$(in_container stat -c '%u:%g %a' /tmp/owned/file)"
	is '0:0 4750' "$(in_container stat -c '%u:%g %a' /tmp/kinds/file)"
}
it 'keeps kinds, modes, times and links, and owners with -a' kinds_are_kept

attributes_are_kept() {
	needs python3
	xattr() {
		python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "user.color").decode())' "$1"
	}
	echo x >attr
	python3 -c 'import os; os.setxattr("attr", "user.color", b"green")' 2>/dev/null || skip 'this file system has no extended attributes'
	for c in $both; do
		pouch cp attr "$c:/bind/attr"
		is green "$(xattr "$T/bind/attr")"
		pouch cp "$c:/bind/attr" attr2
		is green "$(xattr attr2)"
	done
}
it 'keeps extended attributes' attributes_are_kept

holes_are_kept() {
	# Before 3.1 no kernel says where holes are: all of them is read.
	middle=1500000000
	[ "$(uname -r | cut -d. -f1)" -ge 3 ] || middle=50000000
	truncate -s $((middle * 2 + 221225472)) sparse
	printf middle | dd of=sparse bs=1 seek=$middle conv=notrunc 2>/dev/null
	for c in $both; do
		pouch cp sparse "$c:/bind/sparse"
		is $((middle * 2 + 221225472)) "$(stat -c %s "$T/bind/sparse")"
		[ "$(du -k "$T/bind/sparse" | cut -f1)" -lt 2000 ]
		is middle "$(tail -c +$((middle + 1)) "$T/bind/sparse" | head -c 6)"
		rm -f sparse2
		pouch cp "$c:/bind/sparse" sparse2
		cmp -n $((middle + 10000)) sparse sparse2
		[ "$(du -k sparse2 | cut -f1)" -lt 2000 ]
		rm "$T/bind/sparse"
	done
	rm sparse sparse2
	truncate -s 1G empty
	pouch cp empty on:/bind/empty
	is 1073741824 "$(stat -c %s "$T/bind/empty")"
	rm empty "$T/bind/empty"
}
it 'keeps holes' holes_are_kept

streams_go_through() {
	echo s >s
	for c in $both; do
		tar cf - s | pouch cp - "$c:/tmp"
		is s "$(show "$c" /tmp/s)"
		tar cf - s | fails "Could not find the file" pouch cp - "$c:/tmp/nodir"
		tar cf - s | gzip | pouch cp - "$c:/data"
		is s "$(show "$c" /data/s)"
		fails 'must be a directory' pouch cp - "$c:/tmp/s" <s
		fails 'not a tar archive' pouch cp - "$c:/tmp" <s
		: | pouch cp - "$c:/tmp"
	done
	pouch cp on:/tmp/s - | pouch cp - off:/tmp
}
it 'takes and gives archives' streams_go_through

mounts_are_seen() {
	for c in $both; do
		echo "$c" >x
		pouch cp x "$c:/bind/x"
		is "$c" "$(cat "$T/bind/x")"
		pouch cp x "$c:/data/x"
		is "$c" "$(in_container cat /data/x)"
		has bind/x "$(names "$c" /bind)"
		has "$(in_container cat /etc/hostname)" "$(show on /etc/hostname)"
	done
	pouch cp x on:/scratch/x
	is off "$(in_container cat /scratch/x)"
	is off "$(show on /scratch/x)"
	has etc/passwd "$(names off /)"
}
it 'sees volumes, binds and tmpfs' mounts_are_seen

kernels_files_are_not_copied() {
	# busybox shows names without the slash in front
	names on / >"$T/names"
	grep -qx '/*proc/' "$T/names"
	hasnt proc/version "$(cat "$T/names")"
	fails 'Could not find the file /proc/version' pouch cp on:/proc/version .
	fails 'Could not find the file /sys/kernel' pouch cp on:/sys/kernel .
	echo x >x
	fails '' pouch cp x on:/proc
}
it 'takes what the kernel shows for no file' kernels_files_are_not_copied

read_only_is_respected() {
	pouch run -d --net none --name ro --read-only -v "$T/bind:/bind:ro" -v data:/data busybox sleep 1000
	for state in running stopped; do
		echo "$state" >x
		fails 'container rootfs is marked read-only' pouch cp x ro:/tmp/x
		fails 'mounted volume is marked read-only' pouch cp x ro:/bind/x
		pouch cp x ro:/data/x
		is "$state" "$(show ro /data/x)"
		has etc/passwd "$(names ro /etc)"
		pouch stop -t 0 ro
	done
	pouch rm ro
}
it 'does not write where it is read-only' read_only_is_respected

paused_is_fine() {
	pouch pause on
	echo paused >x
	pouch cp x on:/tmp/paused
	is paused "$(show on /tmp/paused)"
	pouch unpause on
	is paused "$(in_container cat /tmp/paused)"
}
it 'copies while the container is paused' paused_is_fine

links_are_followed_inside() {
	in_container sh -c 'mkdir -p /opt/real; echo r >/opt/real/r; ln -s /opt/real /opt/link; ln -s r /opt/real/rlink; ln -s ../../../../opt/real /opt/up'
	is "$(printf 'link')" "$(names on /opt/link)"
	is "$(printf 'link/\nlink/r\nlink/rlink')" "$(names on /opt/link/)"
	is r "$(show on /opt/link/r)"
	is r "$(show on /opt/up/r)"
	rm -rf l && pouch cp on:/opt/link l && is /opt/real "$(readlink l)"
	rm -rf l && pouch cp -L on:/opt/link l && is r "$(cat l/r)"
	rm -rf d && mkdir d && pouch cp -L on:/opt/real/rlink d && is r "$(cat d/rlink)"
	echo w >w
	pouch cp w on:/opt/link
	is w "$(in_container cat /opt/real/w)"
	pouch cp w on:/opt/real/rlink
	is w "$(in_container cat /opt/real/r)"
	ln -s w wl
	pouch cp wl on:/tmp/wl && is w "$(in_container readlink /tmp/wl)"
	pouch cp -L wl on:/tmp/wl2 && is w "$(in_container cat /tmp/wl2)"
	mkdir -p here && ln -s here there && pouch cp on:/opt/real/w there && is w "$(cat here/w)"
}
it 'follows links inside the container, and -L one that is copied' links_are_followed_inside

modes_of_the_api() {
	stat_of() {
		curl -sf --unix-socket "$socket" -I "http://x/v1.41/containers/on/archive?path=$1" |
			tr -d '\r' | sed -n 's/^X-Docker-Container-Path-Stat: //p' | base64 -d
	}
	needs curl base64
	pouch run -d --net none --name owner -u 5:6 busybox sleep 1000
	is "\"mode\":$((1 << 31 | 01777 & 0777 | 1 << 20))" "$(stat_of /tmp | grep -o '"mode":[0-9]*')"
	has '"name":"tmp"' "$(stat_of /tmp/)"
	has '"name":"."' "$(stat_of /tmp/.)"
	has '"linkTarget":"/opt/real"' "$(stat_of /opt/link)"
	has '"linkTarget":""' "$(stat_of /opt/link/)"
	is 404 "$(curl -s -o "$T/out" -w '%{http_code}' --unix-socket "$socket" "http://x/containers/on/archive?path=/nosuch")"
	has '{"message":"Could not find the file /nosuch' "$(cat "$T/out")"
	is 400 "$(curl -s -o "$T/out" -w '%{http_code}' --unix-socket "$socket" "http://x/containers/on/archive")"
	is 400 "$(: | curl -s -o "$T/out" -w '%{http_code}' --unix-socket "$socket" -T - "http://x/containers/on/archive?path=/etc/passwd")"
	has 'extraction point is not a directory' "$(cat "$T/out")"
	echo x >x
	tar cf - x | curl -sf --unix-socket "$socket" -T - "http://x/containers/owner/archive?path=/tmp&copyUIDGID=1"
	is 5:6 "$(pouch exec -u 0 owner stat -c %u:%g /tmp/x)"
	chown 7:8 x
	tar cf - x | curl -sf --unix-socket "$socket" -T - "http://x/containers/owner/archive?path=/tmp"
	is 7:8 "$(pouch exec -u 0 owner stat -c %u:%g /tmp/x)"
	mkdir -p kind/x
	fails 400 sh -c "tar cf - -C kind x | curl -sS --fail --unix-socket $socket -T - 'http://x/containers/owner/archive?path=/tmp&noOverwriteDirNonDir=1'"
	pouch rm -f owner
}
it 'answers the HTTP routes as docker does' modes_of_the_api

# ---- attacks -----------------------------------------------------------------------------------------------------------------------

hostile_archives_stay_inside() {
	needs python3
	mkdir -p outside
	python3 - "$T/work/evil.tar" "$T/work/outside" <<-'END'
	import io, sys, tarfile
	t = tarfile.open(sys.argv[1], "w")
	def add(name, kind=tarfile.REGTYPE, link="", data=b"evil"):
	    i = tarfile.TarInfo(name)
	    i.type, i.linkname = kind, link
	    if kind == tarfile.REGTYPE:
	        i.size = len(data)
	        t.addfile(i, io.BytesIO(data))
	    else:
	        t.addfile(i)
	add("abs", tarfile.SYMTYPE, sys.argv[2])
	add("abs/through")
	add("up", tarfile.SYMTYPE, "../../../../../../../../.." + sys.argv[2])
	add("up/through")
	t.close()
	END
	for c in $both; do
		pouch cp - "$c:/tmp" <evil.tar
	done
	is '' "$(ls outside)"
	for name in ../escape a/../../escape; do
		python3 -c 'import tarfile,sys; t=tarfile.open("dots.tar","w"); t.addfile(tarfile.TarInfo(sys.argv[1])); t.close()' "$name"
		fails 'leads out of the root' pouch cp - on:/tmp <dots.tar
	done
	python3 -c 'import tarfile
t = tarfile.open("hard.tar", "w")
i = tarfile.TarInfo("hard"); i.type = tarfile.LNKTYPE; i.linkname = "../../../../etc/shadow"; t.addfile(i); t.close()'
	fails 'leads out of the root' pouch cp - on:/tmp <hard.tar
}
it 'keeps hostile archives inside' hostile_archives_stay_inside

# A fake daemon that answers as one would that wants to write elsewhere on the user's host.
hostile_daemons_stay_below_the_destination() {
	needs python3
	mkdir -p outside dest
	cat >"$T/evil.py" <<-'END'
	import base64, http.server, io, json, socketserver, sys, tarfile
	outside = sys.argv[2]
	def archive():
	    f = io.BytesIO()
	    t = tarfile.open(fileobj=f, mode="w")
	    def add(name, kind=tarfile.REGTYPE, link=""):
	        i = tarfile.TarInfo(name)
	        i.type, i.linkname = kind, link
	        t.addfile(i)
	    add("top", tarfile.DIRTYPE)
	    add("top/link", tarfile.SYMTYPE, outside)
	    add("top/link/evil")
	    add("top/up", tarfile.SYMTYPE, "../../../../../../../../.." + outside)
	    add("top/up/evil")
	    if sys.argv[3] != "links":
	        add(sys.argv[3])
	    t.close()
	    return f.getvalue()
	class Handler(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        stat = {"name": "top", "size": 0, "mode": 1 << 31 | 0o755, "mtime": "2020-01-01T00:00:00Z", "linkTarget": ""}
	        body = archive()
	        self.send_response(200)
	        self.send_header("X-Docker-Container-Path-Stat", base64.b64encode(json.dumps(stat).encode()).decode())
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    def address_string(self):
	        return "x"
	    def log_message(self, *a):
	        pass
	class Server(socketserver.UnixStreamServer):
	    pass
	Server(sys.argv[1], Handler).serve_forever()
	END
	for name in links ../escape top/../../escape /etc/escape other; do
		python3 "$T/evil.py" "$T/evil.sock" "$T/work/outside" "$name" &
		server=$!
		eventually 10 test -S "$T/evil.sock"
		"$POUCH_BUILD/pouch" -H "unix://$T/evil.sock" cp x:/top dest || :
		kill $server
		wait $server || :
		rm -f "$T/evil.sock"
		is '' "$(ls outside)"
		[ ! -e escape ] && [ ! -e "$T/escape" ] && [ ! -e /etc/escape ]
	done
	[ -L dest/top/link ]
}
it 'writes below the destination only, whatever a daemon sends' hostile_daemons_stay_below_the_destination

# While files are copied the container exchanges a directory for a link that leads to a directory of the host, by name.
exchanged_links_lead_nowhere() {
	needs python3
	mkdir -p "$T/secret/d"
	echo secret >"$T/secret/d/f"
	chmod 711 "$T/secret/d/f"
	cat >"$T/bind/swap.sh" <<-END
	mkdir -p /tmp/swap/d "$T/secret/d" && echo inside >/tmp/swap/d/f
	cd /tmp/swap
	while [ ! -e /tmp/stop ]; do
		rm -rf d; ln -s "$T/secret/d" d; rm -f d; mkdir d; echo inside >d/f
	done 2>/dev/null
	END
	in_container sh /bind/swap.sh &
	swapper=$!
	eventually 10 in_container test -e /tmp/swap/d/f
	# Who only puts the container's root before the path is led out.
	eventually 20 grep -qs secret "/proc/$(pouch inspect -f '{{.State.Pid}}' on)/root/tmp/swap/d/f"
	mkdir -p from && mkfifo from/fifo && chmod 600 from/fifo && echo written >from/f
	chmod 666 from/fifo
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
		pouch cp on:/tmp/swap - 2>/dev/null | tar xOf - 2>/dev/null >>"$T/got" || :
		pouch cp on:/tmp/swap/d/f - 2>/dev/null | tar xOf - 2>/dev/null >>"$T/got" || :
		pouch cp on:/tmp/swap/d/. - 2>/dev/null | tar xOf - 2>/dev/null >>"$T/got" || :
		pouch cp from/. on:/tmp/swap/d >/dev/null 2>&1 || :
	done
	in_container touch /tmp/stop
	wait $swapper || :
	grep -q inside "$T/got" || grep -q written "$T/got"
	hasnt secret "$(cat "$T/got")"
	is f "$(ls "$T/secret/d")"
	is 'secret 711' "$(cat "$T/secret/d/f") $(stat -c %a "$T/secret/d/f")"
}
it 'is not led out by links that are exchanged meanwhile' exchanged_links_lead_nowhere

# The same on the side of the host: somebody with rights in the destination exchanges what was just made.
destinations_may_change_meanwhile() {
	mkdir -p target && echo mine >target/f
	in_container sh -c 'rm -rf /tmp/many; mkdir -p /tmp/many/d; for i in 1 2 3 4 5 6 7 8 9; do echo theirs >/tmp/many/d/f$i; done; echo theirs >/tmp/many/d/f'
	rm -rf land && mkdir land
	cat >swap.sh <<-END
	while :; do
		mv land/many/d land/many/away; ln -s "$T/work/target" land/many/d; rm -f land/many/d; mv land/many/away land/many/d
	done 2>/dev/null
	END
	sh swap.sh 2>/dev/null &
	swapper=$!
	# Who only writes where the path leads is led there.
	naive_writes_land() {
		mkdir -p land/many/d
		echo theirs 2>/dev/null >land/many/d/f || :
		grep -q theirs target/f
	}
	eventually 20 naive_writes_land
	echo mine >target/f
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		pouch cp on:/tmp/many land >/dev/null 2>&1 || :
	done
	kill -9 $swapper
	wait $swapper || :
	is f "$(ls target)"
	is mine "$(cat target/f)"
}
it 'writes through no link that appears in the destination' destinations_may_change_meanwhile

devices_and_pipes_do_not_block() {
	in_container sh -c 'mkdir -p /tmp/odd && mkfifo /tmp/odd/fifo && mknod /tmp/odd/null c 1 3'
	has odd/fifo "$(POUCH_SECONDS=20 names on /tmp/odd)"
	POUCH_SECONDS=20 pouch cp on:/tmp/odd/fifo ./fifo-copy
	[ -p fifo-copy ]
	fails 'must be a directory or a regular file' pouch cp x on:/tmp/odd/null
}
it 'waits for no pipe' devices_and_pipes_do_not_block

many_at_once() {
	pids=
	for i in 1 2 3 4 5 6 7 8; do
		( pouch cp "$(image_archive)" "on:/tmp/many$i" && pouch cp "on:/tmp/many$i" - | tar xOf - | cmp - "$(image_archive)" ) &
		pids="$pids $!"
	done
	for p in $pids; do
		wait "$p"
	done
}
it 'copies many at once' many_at_once

a_stopped_container_is_left_unmounted() {
	is '' "$(awk -v id="$(pouch inspect -f '{{.ID}}' off)" 'index($5, id)' /proc/self/mountinfo)"
	# its client dies amid the copy
	( pouch cp off:/bin/busybox - & echo $! >"$T/cp.pid"; wait ) | head -c 1000 >/dev/null
	eventually 10 pouch start off
	pouch rm -f off
}
it 'leaves nothing mounted' a_stopped_container_is_left_unmounted

unprivileged_users_copy() {
	needs_setpriv
	mkdir user && chown 4000:4000 user && chmod 755 "$T" "$T/work"
	in_container sh -c 'mkdir -p /tmp/u; echo x >/tmp/u/f; chmod 4755 /tmp/u/f; mknod /tmp/u/null c 1 3'
	chmod 666 "$socket"
	(cd user && setpriv --reuid 4000 --regid 4000 --clear-groups "$POUCH_BUILD/pouch" -H "unix://$socket" cp -a on:/tmp/u . 2>"$T/err")
	chmod 660 "$socket"
	has 'only root can make it' "$(cat "$T/err")"
	is '4000:4000 755' "$(stat -c '%u:%g %a' user/u/f)"
}
it 'copies for users that are not root, too' unprivileged_users_copy
