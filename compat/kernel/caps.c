/*
 * caps.c - capability sets by the raw system calls
 */
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <json-c/json.h>

#include "compat/base/buf.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/caps.h"

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT		 47
#define PR_CAP_AMBIENT_RAISE	 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

enum { SET_MAX = 256 };

static const char *const names[] = {
	"CAP_CHOWN",	      "CAP_DAC_OVERRIDE",  "CAP_DAC_READ_SEARCH",   "CAP_FOWNER",	 "CAP_FSETID",
	"CAP_KILL",	      "CAP_SETGID",	   "CAP_SETUID",	    "CAP_SETPCAP",	 "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",	    "CAP_NET_RAW",	 "CAP_IPC_LOCK",
	"CAP_IPC_OWNER",      "CAP_SYS_MODULE",	   "CAP_SYS_RAWIO",	    "CAP_SYS_CHROOT",	 "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",      "CAP_SYS_ADMIN",	   "CAP_SYS_BOOT",	    "CAP_SYS_NICE",	 "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",	      "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",	    "CAP_LEASE",	 "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",  "CAP_SETFCAP",	   "CAP_MAC_OVERRIDE",	    "CAP_MAC_ADMIN",	 "CAP_SYSLOG",
	"CAP_WAKE_ALARM",     "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",	    "CAP_PERFMON",	 "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

int cap_parse(const char *name)
{
	bool prefixed = strncasecmp(name, "CAP_", 4) == 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(name, prefixed ? names[i] : names[i] + 4) == 0)
			return (int)i;
	}
	return -EINVAL;
}

const char *cap_name(int cap)
{
	return cap >= 0 && (size_t)cap < ARRAY_SIZE(names) ? names[cap] : NULL;
}

int cap_last(void)
{
	static int last;

	if (!last) {
		int cap = 63;

		while (cap > 0 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) < 0)
			cap--;
		last = cap;
	}
	return last;
}

uint64_t caps_all(void)
{
	int last = cap_last();

	return last >= 63 ? UINT64_MAX : CAP_BIT(last + 1) - 1;
}

uint64_t caps_bounding(void)
{
	uint64_t set = 0;

	for (int cap = 0; cap <= cap_last(); cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			set |= CAP_BIT(cap);
	}
	return set;
}

uint64_t caps_default(void)
{
	return CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_FOWNER) |
	       CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_NET_RAW) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETUID) |
	       CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_NET_BIND_SERVICE) |
	       CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_AUDIT_WRITE);
}

static int parse_list(const struct strv *list, const char *option, uint64_t *ret, bool *ret_all, struct err *err)
{
	*ret = 0;
	*ret_all = false;
	for (size_t i = 0; list && i < list->n; i++) {
		int cap;

		if (strcasecmp(list->v[i], "ALL") == 0) {
			*ret_all = true;
			continue;
		}
		cap = cap_parse(list->v[i]);
		if (cap < 0)
			return err_set(err, ERR_INVALID, "invalid capability '%s' in --%s", list->v[i], option);
		if (cap > cap_last() && strcmp(option, "cap-add") == 0)
			return err_set(err, ERR_UNSUPPORTED, "capability '%s' is unknown to this kernel", list->v[i]);
		*ret |= CAP_BIT(cap);
	}
	return 0;
}

uint64_t caps_named(const struct strv *list)
{
	uint64_t set = 0;

	for (size_t i = 0; i < list->n; i++) {
		int cap = cap_parse(list->v[i]);

		if (cap >= 0)
			set |= CAP_BIT(cap);
	}
	return set;
}

int caps_tweak(uint64_t base, const struct strv *add, const struct strv *drop, uint64_t *ret, struct err *err)
{
	uint64_t added, dropped, set;
	bool add_all, drop_all;
	int rc = parse_list(add, "cap-add", &added, &add_all, err);

	if (rc < 0 || (rc = parse_list(drop, "cap-drop", &dropped, &drop_all, err)) < 0)
		return rc;
	if (add_all)
		set = caps_all() & ~dropped;
	else if (drop_all)
		set = added;
	else
		set = (base & ~dropped) | added;
	*ret = set & caps_all();
	return 0;
}

int caps_drop_bounding(uint64_t bounding, struct err *err)
{
	for (int cap = 0; cap <= cap_last(); cap++) {
		if (bounding & CAP_BIT(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* Without CAP_SETPCAP it is an error only if there was something to drop. */
		if (errno == EPERM && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
			continue;
		return err_sys(err, errno, "drop %s from the bounding set", cap_name(cap) ? cap_name(cap) : "capability");
	}
	return 0;
}

int caps_keep(struct err *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "keep capabilities over the change of user");
	return 0;
}

static int raise_ambient(uint64_t ambient, struct err *err)
{
	if (hidden("ambient-caps") || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return 0; /* before 4.3 there are none */
	for (int cap = 0; ambient && cap <= cap_last(); cap++) {
		if ((ambient & CAP_BIT(cap)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(err, errno, "raise ambient %s", cap_name(cap) ? cap_name(cap) : "capability");
	}
	return 0;
}

int caps_apply(const struct caps *caps, struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t own, old, permitted, inheritable, nameless = ~caps_all();

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, errno, "get capabilities");
	/* The kernel refuses the whole of a set with one too many. */
	own = data[0].permitted | (uint64_t)data[1].permitted << 32;
	old = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	permitted = caps->permitted & own;
	/*
	 * 2.6.32 has bits for capabilities that it does not know. They mean nothing, but who gave them up gets them back at exec, and a program that
	 * gains rights so is hidden in /proc from all others in its container.
	 */
	if ((own & nameless) == nameless)
		permitted |= nameless;
	inheritable = caps->inheritable & (own | old) & (caps->bounding | old);
	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)((caps->effective & permitted) >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(err, errno, "set capabilities (permitted 0x%llx)", (unsigned long long)permitted);
	return raise_ambient(caps->ambient & permitted & inheritable, err);
}

int caps_get(struct caps *ret, struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct caps caps = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, errno, "get capabilities");
	for (int i = 0; i < 2; i++) {
		caps.effective |= (uint64_t)data[i].effective << (32 * i);
		caps.permitted |= (uint64_t)data[i].permitted << (32 * i);
		caps.inheritable |= (uint64_t)data[i].inheritable << (32 * i);
	}
	caps.bounding = caps_bounding();
	for (int cap = 0; cap <= cap_last(); cap++) {
		if (prctl(PR_CAP_AMBIENT, 1 /* IS_SET */, cap, 0, 0) == 1)
			caps.ambient |= CAP_BIT(cap);
	}
	*ret = caps;
	return 0;
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------------- */

static int parse_set(void *member, struct json_object *value, struct err *err)
{
	uint64_t set = 0;
	size_t n;

	if (!json_object_is_type(value, json_type_array))
		return err_set(err, ERR_INVALID, "want an array of capabilities");
	n = json_object_array_length(value);
	if (n > SET_MAX)
		return err_set(err, ERR_INVALID, "more than %d capabilities", SET_MAX);
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(value, i);
		int cap;

		if (!json_object_is_type(item, json_type_string))
			return err_set(err, ERR_INVALID, "want an array of strings");
		cap = cap_parse(json_object_get_string(item));
		set |= cap >= 0 ? CAP_BIT(cap) : CAP_UNKNOWN;
	}
	*(uint64_t *)member = set;
	return 0;
}

static void print_set(const void *member, struct buf *out)
{
	uint64_t set = *(const uint64_t *)member;
	bool first = true;

	buf_char(out, '[');
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(set & CAP_BIT(i)))
			continue;
		buf_fmt(out, "%s\"%s\"", first ? "" : ",", names[i]);
		first = false;
	}
	buf_char(out, ']');
}

static void clear_set(void *member)
{
	*(uint64_t *)member = 0;
}

/* Unknown ones have no name to print. */
static bool set_is_empty(const void *member)
{
	return (*(const uint64_t *)member & ~CAP_UNKNOWN) == 0;
}

static const struct json_ops set_ops = {parse_set, print_set, clear_set, set_is_empty};

static const struct json_field fields[] = {
	JSON_OPS(struct caps, bounding, "bounding", JSON_OMIT_EMPTY, &set_ops),
	JSON_OPS(struct caps, effective, "effective", JSON_OMIT_EMPTY, &set_ops),
	JSON_OPS(struct caps, inheritable, "inheritable", JSON_OMIT_EMPTY, &set_ops),
	JSON_OPS(struct caps, permitted, "permitted", JSON_OMIT_EMPTY, &set_ops),
	JSON_OPS(struct caps, ambient, "ambient", JSON_OMIT_EMPTY, &set_ops),
};
const struct json_table caps_table = JSON_TABLE("capabilities", struct caps, fields);
