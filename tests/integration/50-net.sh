#!/bin/sh
# net: networks and published ports through the daemon, in a network namespace of this file's own
. "$(dirname "$0")/../lib.sh"

needs ip iptables-save curl
pouchd_start || exit 1
image_load >/dev/null || exit 1

web='mkdir -p /www && hostname >/www/name && exec httpd -f -p 80 -h /www'
page() {
	curl -sf -m 2 "http://$1/name"
}

# serves ADDRESS: the page is there, once the server is up
serves() {
	eventually 10 page "$1"
	is webhost "$(page "$1")"
}

an_address() {
	pouch run -d --name plain busybox sleep 1000
	ip=$(pouch inspect -f '{{.NetworkSettings.IPAddress}}' plain)
	has "${bip%.*}." "$ip"
	has "$ip" "$(pouch exec plain ip -4 addr show eth0)"
	has "default via ${bip%/*} " "$(pouch exec plain ip route)"
	busybox ping -c 1 -W 2 "$ip"
	pouch exec plain ping -c 1 -W 2 "${bip%/*}"
	has "$ip" "$(pouch exec plain cat /etc/hosts)"
	pouch exec plain grep -q nameserver /etc/resolv.conf
	pouch rm -f plain
}
it 'gives a container an address and names' an_address

published() {
	pouch run -d --name web --hostname webhost -p 18080:80 -p 127.0.0.1:18081:80 busybox sh -c "$web"
	serves "127.0.0.1:18080"
	serves "127.0.0.1:18081"
	serves "${bip%/*}:18080"
	fails 'port is already allocated' pouch run -d --name web2 -p 18080:80 busybox true
	pouch rm -f web2 || true
	pouch rm -f web
	fails "" page 127.0.0.1:18080
}
it 'publishes ports' published

after_a_crash() {
	pouch run -d --name web --hostname webhost -p 18080:80 busybox sh -c "$web"
	serves "127.0.0.1:18080"
	pouchd_kill9
	serves "127.0.0.1:18080"
	pouchd_start
	serves "127.0.0.1:18080"
	pouch rm -f web
}
it 'keeps ports over the death of the daemon' after_a_crash

# Some kernels put their own devices into every network namespace (sit0, tunl0): no more than in one that nobody set up.
no_network() {
	links='ip -o link | cut -d: -f2 | tr -d " " | cut -d@ -f1 | sort'
	empty=$(unshare -n sh -c "$links")
	has lo "$empty"
	is "$empty" "$(pouch run --rm --net none busybox ls /proc/sys/net/ipv4/conf | grep -v -x -e all -e default | sort)"
	is "$empty" "$(pouch run --rm --net none busybox sh -c "$links")"
	has LOWER_UP "$(pouch run --rm --net none busybox ip link show lo)"
}
it 'gives no network on request' no_network

shared() {
	pouch run -d --name first busybox sleep 1000
	# An old kernel's pair takes a moment to have a carrier.
	is "$(pouch exec first ip addr show eth0 | grep -v '^[0-9]')" "$(pouch run --rm --net container:first busybox ip addr show eth0 | grep -v '^[0-9]')"
	pouch rm -f first
	has "${bip%/*}" "$(pouch run --rm --net host busybox ip addr)"
}
it 'shares networks' shared

# Whoever started it: a program that listens in one container answers in the other, and what belongs to each is its own.
shared_and_used() {
	pouch run -d --name first --ipc shareable busybox sleep 1000
	pouch run -d --name second --net container:first --ipc container:first busybox sh -c "$web"
	eventually 10 pouch exec first wget -q -O "/name" http://127.0.0.1/name
	pouch exec first grep -q . /name
	hasnt httpd "$(pouch exec first ps)"
	hasnt name "$(pouch exec second ls /)"
	pouch exec first touch /dev/shm/both
	pouch exec second ls /dev/shm/both
	# one more, beside the one that was started beside another
	pouch run --rm --net container:second busybox wget -q -O - http://127.0.0.1/name
	pouchd_kill9
	pouchd_start
	pouch exec second wget -q -O - http://127.0.0.1/name
	is true "$(pouch inspect -f '{{.State.Running}}' second)"
	pouch restart -t 0 second
	eventually 10 pouch exec first wget -q -O /dev/null http://127.0.0.1/name
	kill -9 "$(pouch inspect -f '{{.State.Pid}}' second)"
	ended() {
		is 'exited 137' "$(pouch inspect -f '{{.State.Status}} {{.State.ExitCode}}' second)"
	}
	eventually 10 ended
	pouch rm -f first second
}
it 'serves one container in the network of another' shared_and_used

outlives() {
	pouch run -d --name first busybox sleep 1000
	pouch run -d --name second --net container:first busybox sleep 1000
	pouch rm -f first
	has LOWER_UP "$(pouch exec second ip link show lo)"
	fails 'no such container' pouch restart -t 0 second
	pouch rm -f second
}
it 'keeps a shared network while somebody has it' outlives

shared_host_name() {
	pouch run -d --name first --hostname one busybox sleep 1000
	pouch run --rm --privileged --net container:first busybox hostname other
	is one "$(pouch exec first hostname)"
	pouch rm -f first
}
it 'shares no host name with the network' shared_host_name

# Without setns the one that is shared with starts the other: what that cannot give is refused before anything is made.
not_shared() {
	! (needs_joins) >/dev/null || skip 'namespaces can be joined here'
	pouch run -d --name first --ipc shareable busybox sleep 1000
	pouch run -d --name other --ipc shareable busybox sleep 1000
	refused() {
		fails "join-namespaces: cannot $1" pouch create --name second $2 busybox true
		fails 'no such' pouch inspect second
	}
	refused 'share the pid namespace of container' '--pid container:first'
	refused 'share namespaces of the two containers' '--net container:first --ipc container:other'
	refused "have the host's uts namespace and the network namespace of container" '--net container:first --uts host'
	refused "have the host's ipc namespace and the network namespace of container" '--net container:first --ipc host'
	refused "have the host's network namespace and the ipc namespace of container" '--net host --ipc container:first'
	pouch rm -f first other
}
it 'refuses to share networks and other namespaces that cannot be joined' not_shared

nothing_left() {
	pouch run --rm -p 18080:80 busybox true
	pouch run --rm busybox true
	sleep 1
	is '' "$(veths)"
	is '' "$(iptables-save | grep -e --dport || true)"
	is '' "$(ls "$home/network/endpoints")"
}
it 'leaves nothing of a container' nothing_left
