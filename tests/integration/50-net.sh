#!/bin/sh
# net: networks and published ports through the daemon, in a network namespace of this file's own
. "$(dirname "$0")/../lib.sh"

needs ip iptables-save curl
pouchd_start || exit 1
image_load >/dev/null || exit 1

web='mkdir /www && hostname >/www/name && exec httpd -f -p 80 -h /www'
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

no_network() {
	is lo "$(pouch run --rm --net none busybox ls /proc/sys/net/ipv4/conf | grep -v -e all -e default)"
	is lo "$(pouch run --rm --net none busybox sh -c 'ip -o link | cut -d: -f2 | tr -d " "')"
	has LOWER_UP "$(pouch run --rm --net none busybox ip link show lo)"
}
it 'gives no network on request' no_network

shared() {
	needs_joins
	pouch run -d --name first busybox sleep 1000
	# An old kernel's pair takes a moment to have a carrier.
	is "$(pouch exec first ip addr show eth0 | grep -v '^[0-9]')" "$(pouch run --rm --net container:first busybox ip addr show eth0 | grep -v '^[0-9]')"
	pouch rm -f first
	has "${bip%/*}" "$(pouch run --rm --net host busybox ip addr)"
}
it 'shares networks' shared

not_shared() {
	! (needs_joins) >/dev/null || skip 'namespaces can be joined here'
	pouch run -d --name first busybox sleep 1000
	for kind in network:--net pid:--pid ipc:--ipc; do
		fails "join-namespaces: cannot share the ${kind%:*} namespace of container" \
			pouch create --name second "${kind#*:}" container:first busybox true
		fails 'no such' pouch inspect second
	done
	pouch rm -f first
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
