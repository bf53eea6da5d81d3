#!/bin/sh
# Hostile archives: images to load, layers in them, streams that are unpacked in containers
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"
needs python3 tar

outside=$T/outside
mkdir "$outside"
echo private-bytes >"$outside/secret"

untouched() {
	is secret "$(ls -A "$outside")"
	is 'private-bytes 644 1' "$(cat "$outside/secret") $(stat -c '%a %h' "$outside/secret")"
}

load() {
	timeout 60 "$POUCH_BUILD/pouch" -H "unix://$socket" load -q -i "$1"
}

# make.py KIND NAME FILE: an archive; what is wrong with it is told by its name
cat >"$T/make.py" <<'END'
import hashlib, io, json, sys, tarfile
kind, name, file, outside = sys.argv[1:5]

class Tar:
    def __init__(self):
        self.f = io.BytesIO()
        self.t = tarfile.open(fileobj=self.f, mode="w", format=tarfile.PAX_FORMAT)
    def add(self, name, data=b"", type=tarfile.REGTYPE, link="", pax=None, size=None):
        i = tarfile.TarInfo(name)
        i.type, i.linkname, i.mode = type, link, 0o755
        if pax:
            i.pax_headers = pax
        i.size = len(data) if size is None else size
        self.t.addfile(i, io.BytesIO(data + b"\0" * (i.size - len(data))) if type == tarfile.REGTYPE and size is None else None)
        return self
    def bytes(self):
        self.t.close()
        return self.f.getvalue()

SYM, LNK, DIR, CHR, FIFO = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE
up = "../" * 30 + outside.lstrip("/")

# Trees that want to be elsewhere
trees = {
    "link": lambda t: t.add("way", type=SYM, link=outside).add("way/through", b"evil").add("way/secret", b"evil"),
    "up-link": lambda t: t.add("way", type=SYM, link=up).add("way/through", b"evil").add("way/secret", b"evil"),
    "chain": lambda t: t.add("a", type=SYM, link="/").add("b", type=SYM, link="a/" + outside.lstrip("/")).add("b/secret", b"evil"),
    "late-link": lambda t: t.add("d", type=DIR).add("d/x", b"1").add("d", type=SYM, link=outside).add("d/secret", b"evil"),
    "dir-over-link": lambda t: t.add("d", type=SYM, link=outside).add("d", type=DIR).add("d/secret", b"evil"),
    "hard": lambda t: t.add("hard", type=LNK, link=up + "/secret").add("hard", b"evil"),
    "hard-absolute": lambda t: t.add("hard", type=LNK, link=outside + "/secret").add("hard", b"evil"),
    "hard-through": lambda t: t.add("way", type=SYM, link=outside).add("hard", type=LNK, link="way/secret").add("hard", b"evil"),
    "dots": lambda t: t.add("../" * 30 + outside.lstrip("/") + "/through", b"evil"),
    "absolute": lambda t: t.add(outside + "/through", b"evil"),
    "dots-inside": lambda t: t.add("a/../../../.." + outside + "/through", b"evil"),
    "mode-through": lambda t: t.add("s", type=SYM, link=outside + "/secret").add("s", type=CHR),
    "whiteouts": lambda t: t.add(".wh...", b"").add(".wh..", b"").add(".wh.", b"").add("a/.wh..wh..opq", b"").add("way", type=SYM, link=outside)
        .add("way/.wh.secret", b""),
    "whiteout-slash": lambda t: t.add("x/.wh.." , b"").add("x/.wh..../../secret", b""),
    "pax": lambda t: t.add("p", b"x", pax={"path": up + "/through"}).add("q", type=SYM, link="x", pax={"linkpath": outside}).add("q/secret", b"evil"),
    "fifo": lambda t: t.add("f", type=FIFO).add("f/x", b"evil"),
    "deep": lambda t: t.add("/".join(["d"] * 2000) + "/f", b"x"),
    "long": lambda t: t.add("n" * 300, b"x"),
    "root": lambda t: t.add(".", b"x").add("/", b"x").add("./..", b"x"),
}

# Archives that are no images
def image(config="config.json", layers=("layer.tar",), tags=("evil:1",), extra=None):
    layer = Tar().add("f", b"x").bytes()
    text = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()] * len(layers)}}).encode()
    t = Tar()
    if extra:
        extra(t)
    if name != "no-layer":
        t.add("layer.tar", layer)
    t.add("config.json", text)
    t.add("manifest.json", json.dumps([{"Config": config, "RepoTags": list(tags), "Layers": list(layers)}]).encode())
    return t

def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()

def oci(index, blobs=()):
    t = Tar().add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    for n, b in blobs:
        t.add("blobs/sha256/" + n, b)
    return t.add("index.json", json.dumps(index).encode())

man = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "0" * 64, "size": 1}, "layers": []}
images = {
    "config-out": lambda: image(config="/etc/passwd"),
    "config-up": lambda: image(config=up + "/secret"),
    "layer-out": lambda: image(layers=["/etc/hostname"]),
    "layer-up": lambda: image(layers=["../../../../../../etc/hostname"]),
    "layer-link": lambda: image(layers=["l"], extra=lambda t: t.add("l", type=SYM, link=outside + "/secret")),
    "layer-hard": lambda: image(layers=["l"], extra=lambda t: t.add("l", type=LNK, link=outside + "/secret")),
    "layer-circle": lambda: image(layers=["l"], extra=lambda t: t.add("l", type=SYM, link="m").add("m", type=SYM, link="l")),
    "config-link": lambda: image(config="c", extra=lambda t: t.add("c", type=SYM, link=outside + "/secret")),
    "no-layer": lambda: image(),
    "layers-many": lambda: image(layers=["layer.tar"] * 600),
    "tag-bad": lambda: image(tags=["../../evil:1"]),
    "tag-control": lambda: image(tags=["e\x1b[2Jvil:1"]),
    "tag-newline": lambda: image(tags=["evil\n:1"]),
    "tag-long": lambda: image(tags=["e" * 5000 + ":1"]),
    "manifest-link": lambda: Tar().add("manifest.json", type=SYM, link="/etc/passwd"),
    "manifest-hard": lambda: Tar().add("manifest.json", type=LNK, link="/etc/passwd"),
    "manifest-fifo": lambda: Tar().add("manifest.json", type=FIFO),
    "manifest-object": lambda: Tar().add("manifest.json", b"{}"),
    "manifest-empty": lambda: Tar().add("manifest.json", b"[]"),
    "manifest-deep": lambda: Tar().add("manifest.json", b"[" * 100000),
    "manifest-large": lambda: Tar().add("manifest.json", b"[" + b" " * 9000000 + b"]"),
    "manifest-many": lambda: Tar().add("manifest.json", b"[" + b",".join([b'{"Config":"c","RepoTags":[],"Layers":[]}'] * 5000) + b"]"),
    "members-many": lambda: [image(extra=lambda t: [t.add("m%d" % i, b"") for i in range(100001)])][0],
    "links-many": lambda: [image(config="nothing", extra=lambda t: [t.add("l%d" % i, type=SYM, link="l%d" % (i + 1)) for i in range(60000)])][0],
    "size-huge": lambda: Tar().add("x.tar", size=8 ** 11 - 1),
    "size-pax": lambda: Tar().add("x.tar", b"x", pax={"size": "9223372036854775807"}),
    "size-negative": lambda: Tar().add("x.tar", b"x", pax={"size": "-5"}),
    "sparse": lambda: Tar().add("x.tar", b"x", pax={"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "9000000000000000000",
        "GNU.sparse.numblocks": "1", "GNU.sparse.map": "8999999999999999999,1"}),
    "oci-dots": lambda: oci({"schemaVersion": 2, "manifests": [{"mediaType": man["mediaType"], "digest": "sha256:../../../etc/passwd", "size": 1}]}),
    "oci-none": lambda: oci({"schemaVersion": 2, "manifests": [{"mediaType": man["mediaType"], "digest": "sha256:" + "0" * 64, "size": 1}]}),
    "oci-other": lambda: oci({"schemaVersion": 2, "manifests": [{"mediaType": man["mediaType"], "digest": "sha256:" + "0" * 64, "size": 1}]},
        [("0" * 64, json.dumps(man).encode())]),
    "oci-config": lambda: (lambda m: oci({"schemaVersion": 2, "manifests": [{"mediaType": man["mediaType"], "digest": digest(m), "size": len(m)}]},
        [(digest(m)[7:], m)]))(json.dumps(man).encode()),
    "oci-type": lambda: oci({"schemaVersion": 2, "manifests": [{"mediaType": "x\x1b[2J", "digest": "sha256:" + "0" * 64, "size": -1}]}),
}

if kind == "names":
    print(" ".join(trees if name == "tree" else images))
elif kind == "tree":
    open(file, "wb").write(trees[name](Tar()).bytes())
elif kind == "image":
    open(file, "wb").write(images[name]().bytes())
else:   # a tree as the layer of an image
    layer = trees[name](Tar().add("keep", b"kept")).bytes()
    t = Tar().add("layer.tar", layer)
    t.add("config.json", json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/none"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode())
    t.add("manifest.json", b'[{"Config":"config.json","RepoTags":["evil:1"],"Layers":["layer.tar"]}]')
    open(file, "wb").write(t.bytes())
END
make() {
	python3 "$T/make.py" "$1" "$2" "$T/evil.tar" "$outside"
}
trees=$(python3 "$T/make.py" names tree x "$outside")
images=$(python3 "$T/make.py" names image x "$outside")

memory() {
	sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$(cat "$T/pouchd.pid")/status"
}

pouchd_start
image_load >/dev/null
images_before=$(pouch images -q)

# A naive unpacker is led out by most of them.
naive_unpackers_are_led_out() {
	for tree in link late-link dots absolute hard-absolute; do
		make tree $tree
		mkdir "$T/naive"
		# As programs do that write where a name leads
		python3 - "$T/evil.tar" "$T/naive" <<-'END'
		import os, sys, tarfile
		for m in tarfile.open(sys.argv[1]):
		    to = os.path.join(sys.argv[2], m.name)
		    os.makedirs(os.path.dirname(to), exist_ok=True)
		    if m.isdir():
		        os.makedirs(to, exist_ok=True)
		    elif m.issym():
		        if os.path.isdir(to):
		            os.system("rm -rf '%s'" % to)
		        os.symlink(m.linkname, to)
		    elif m.islnk():
		        os.link(m.linkname, to)
		    else:
		        open(to, "w").write("evil")
		END
		rm -rf "$T/naive"
		[ -e "$outside/through" ] || is evil "$(cat "$outside/secret")" || { echo "$tree"; return 1; }
		rm -f "$outside/through"
		echo private-bytes >"$outside/secret"
	done
	untouched
}

layers_stay_inside() {
	before=$(memory VmRSS)
	for tree in $trees; do
		make layer "$tree"
		if load "$T/evil.tar" >"$T/said" 2>&1; then
			pouch create --name evil --net none evil:1
			# Nothing of the host is in what came of it, even by way of its links.
			pouch cp evil:/ - >"$T/out.tar"
			! grep -aq private-bytes "$T/out.tar"
			has keep "$(tar tf "$T/out.tar")"
			pouch rm -f evil
			pouch rmi -f evil:1
		else
			is "$tree 1" "$tree $(wc -l <"$T/said")"
			! grep -q '[[:cntrl:]]' "$T/said"
		fi
		untouched || { echo "$tree"; return 1; }
	done
	is "$images_before" "$(pouch images -q)"
	[ $(($(memory VmHWM) - before)) -lt 200000 ]
}

streams_stay_inside() {
	pouch run -d --name on --net none -v "$outside:/seen:ro" busybox sleep 1000
	pouch create --name off --net none busybox true
	for tree in $trees; do
		make tree "$tree"
		for c in on off; do
			POUCH_SECONDS=30 pouch cp - $c:/tmp <"$T/evil.tar" >"$T/said" 2>&1 || {
				is "$tree 1" "$tree $(wc -l <"$T/said")"
				! grep -q '[[:cntrl:]]' "$T/said"
			}
			untouched || { echo "$tree $c"; return 1; }
		done
	done
	is private-bytes "$(pouch exec on cat /seen/secret)"
	pouch rm -f on off
}

what_is_no_image_is_refused() {
	before=$(memory VmRSS)
	# A played kernel looks at each of 60000 links.
	limit=20
	[ -z "${AS_KERNEL-}" ] || limit=90
	for image in $images; do
		make image "$image"
		began=$(date +%s)
		one_line load "$T/evil.tar" || { echo "$image"; return 1; }
		took=$(($(date +%s) - began))
		echo "$image: $took s: $(cut -c 1-200 "$T/said")"
		! grep -q private-bytes "$T/said"
		[ $took -lt $limit ] || { echo 'that is too long'; return 1; }
	done
	untouched
	is "$images_before" "$(pouch images -q)"
	is '' "$(cd "$home" && find . -mindepth 3 -path './*/tmp/*')"
	grew=$(($(memory VmHWM) - before))
	echo "grew by $grew KiB"
	[ $grew -lt 400000 ]
}

it 'leads a naive unpacker out' naive_unpackers_are_led_out
it 'keeps layers inside' layers_stay_inside
it 'keeps streams inside' streams_stay_inside
it 'refuses what is no image' what_is_no_image_is_refused
