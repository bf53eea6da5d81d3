#!/bin/sh
# Descriptors of the host, and ways over them: working directories, programs, interpreters (CVE-2024-21626)
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../oci.sh"
. "$(dirname "$0")/attack.sh"

bundle
attack_install "$bundle/rootfs"
mkdir -m 777 "$T/host"
echo secret >"$T/host/secret"
cp /bin/busybox "$T/host/echo"
chmod 777 "$T" "$T/host/echo"
host=$$
descriptors='3 4 5 6 7 8 9 10'

# A process of the host like the container's: the same user, no more capabilities. Its root may then be looked at by way of a /proc that shows it.
likes_start() {
	"$attack" as 1000 sleep 1000 &
	like=$!
	eventually 3 grep -q '^Uid:.1000' "/proc/$like/status"
}

# ---- what works with a descriptor -----------------------------------------------------------------------------------------------

given_directories_lead_out() {
	args=$(sh_args "cat /proc/self/fd/3$T/host/secret") config
	is secret "$(oci run --preserve-fds 1 -b "$bundle" "$id" 3</)"
}

given_proc_leads_out() {
	likes_start
	user='{"uid":1000,"gid":1000}' args="\"/proc/self/fd/3/$like/root$T/host/echo\", \"from outside\"" config
	got=$(oci run --preserve-fds 1 -b "$bundle" "$id" 3</proc) || :
	kill "$like"
	is 'from outside' "$got"
}

# ---- and none without ------------------------------------------------------------------------------------------------------------

nothing_is_open() {
	for hidden in '' close_range setns; do
		(
			hide $hidden
			# ls itself opens the directory
			args='"ls", "-l", "/proc/self/fd"' config
			got=$(oci run -b "$bundle" "$id" 4</ 7</proc 9<"$T/host/secret")
			is 3 "$(echo "$got" | grep -c -- '->')"
			hasnt "$T/host" "$got"
			start_sleeper
			# The first process itself, and whoever else is inside
			for pid in $(oci exec "$id" sh -c 'cd /proc; echo [0-9]*'); do
				hasnt "$T/host" "$(oci exec "$id" ls -l "/proc/$pid/fd" 2>&1)"
				hasnt 'directory' "$(oci exec "$id" sh -c "for f in /proc/$pid/fd/*; do [ ! -d \$f ] || echo \$f is a directory; done" 2>&1)"
			done
			got=$(oci exec "$id" ls -l /proc/self/fd 4</ 7</proc 9<"$T/host/secret")
			is 3 "$(echo "$got" | grep -c -- '->')"
			remove "$id"
		)
	done
}

no_directory_leads_out() {
	ln -sfn "/proc/self/fd" "$bundle/rootfs/fds"
	for fd in $descriptors; do
		for cwd in "/proc/self/fd/$fd" "/proc/self/fd/$fd/.." "/fds/$fd/../../.." "/proc/self/fd/$fd/1/root" "/proc/self/fd/$fd/$host/cwd" \
			"/proc/self/fd/$fd/$host/root$T/host" "/fds/$fd/$host/root$T/made" "/fds/$fd$T/made" "/fds/$fd/1/root$T/made"; do
			args='"sh", "-c", "/bin/busybox pwd; /bin/busybox ls .; /bin/busybox ls ../../../../../../"' config
			got=$(oci run -b "$bundle" "$id" 9</ 8</proc 2>&1) || :
			hasnt secret "$got"
			hasnt boot "$got"
			hasnt usage "$got"
			[ ! -e "$T/made" ] || { echo "'$cwd' made a directory of the host"; return 1; }
		done
	done
	rm "$bundle/rootfs/fds"
	nothing_of "$id"
}

no_directory_leads_an_exec_out() {
	hide "$1"
	start_sleeper
	for fd in $descriptors; do
		for cwd in "/proc/self/fd/$fd" "/proc/self/fd/$fd/.." "/proc/self/fd/$fd/1/root" "/proc/self/fd/$fd/$host/root$T/host"; do
			got=$(oci exec --cwd "$cwd" "$id" sh -c '/bin/busybox pwd; /bin/busybox ls .; /bin/busybox ls ../../../../../../' 9</ 8</proc 2>&1) || :
			hasnt secret "$got"
			hasnt boot "$got"
		done
	done
	remove "$id"
}

no_program_comes_from_outside() {
	hide "$1"
	likes_start
	for fd in $descriptors; do
		for program in "/proc/self/fd/$fd/$like/root$T/host/echo" "/proc/self/fd/$fd$T/host/echo" "/proc/self/fd/$fd/$like/cwd$T/host/echo"; do
			user='{"uid":1000,"gid":1000}' args="\"$program\", \"from outside\"" config
			got=$(oci run -b "$bundle" "$id" 9</ 8</proc 2>&1) || :
			has 'no such file' "$got"
		done
		printf '#!/proc/self/fd/%s/%s/root%s/host/echo\n' "$fd" "$like" "$T" >"$bundle/rootfs/script"
		chmod 755 "$bundle/rootfs/script"
		user='{"uid":1000,"gid":1000}' args='"/script", "from outside"' config
		fails '' oci run -b "$bundle" "$id" 9</ 8</proc
	done
	user='{"uid":1000,"gid":1000}' start_sleeper
	for fd in $descriptors; do
		got=$(oci exec -u 1000:1000 "$id" "/proc/self/fd/$fd/$like/root$T/host/echo" from outside 9</ 8</proc 2>&1) || :
		hasnt 'from outside' "$(echo "$got" | grep -v pouch-oci)"
	done
	kill "$like"
	remove "$id"
}

it 'leads out by a directory that is given on purpose' given_directories_lead_out
it 'starts programs of the host by a given /proc' given_proc_leads_out
it 'leaves no descriptor open' nothing_is_open
it 'makes and enters no working directory outside' no_directory_leads_out
it 'enters none in an exec' no_directory_leads_an_exec_out ''
it 'enters none in an exec by the agent' no_directory_leads_an_exec_out setns
it 'starts no program from outside' no_program_comes_from_outside ''
it 'starts none without close_range' no_program_comes_from_outside close_range
it 'starts none in an exec by the agent' no_program_comes_from_outside setns
