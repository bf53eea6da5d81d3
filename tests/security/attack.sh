# shellcheck shell=sh disable=SC2034,SC2154 # variables of lib.sh and of the tests
# attack.sh - words for tests that attack; after lib.sh and oci.sh
#
# Each attack is shown to work where its defence is switched off, and then to fail: one that cannot work proves nothing.

attack=$POUCH_BUILD/tests/attack
[ -x "$attack" ] || attack=$tests/../build/tests/attack
[ -x "$attack" ] || skip "there is no $attack: make build/tests/attack"
tools=${attack%/*}
# Where the root is an initramfs, old kernels bind nothing that lies on it.
cp "$attack" "$T/attacker"
attack=$T/attacker

# attack_install ROOT: the hostile program as /bin/attack
attack_install() {
	cp "$attack" "$1/bin/attack"
	chmod 755 "$1/bin/attack"
}

# dynamic_loader PROGRAM: the path of the loader that it names; nothing when it is static
dynamic_loader() {
	grep -ao '/lib[0-9a-z]*/ld-[-a-z0-9_.]*so[.0-9]*' "$1" | head -n 1
}

# hide [FEATURE,...]: for the rest of this test
hide() {
	[ -z "${1-}" ] || POUCH_HIDE=${POUCH_HIDE:+$POUCH_HIDE,}$1
	export POUCH_HIDE="${POUCH_HIDE-}"
}

# one_line COMMAND...: fails, and says why in one line that can be printed
one_line() {
	if "$@" >"$T/said" 2>&1; then
		echo "'$*' should have failed, and said:"
		cat "$T/said"
		return 1
	fi
	if [ "$(wc -l <"$T/said")" != 1 ] || grep -q '[[:cntrl:]]' "$T/said"; then
		echo "'$*' said:"
		cat -v "$T/said"
		return 1
	fi
}
