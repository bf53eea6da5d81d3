/*
 * mount_words.c - option words and what they mean
 */
#include <string.h>
#include <sys/mount.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif

enum word_kind {
	SET,
	CLEAR,
	REC_SET,
	REC_CLEAR,
	PROPAGATION,
	BIND,
	RBIND,
	COPY_UP,
	IDMAP,
	DROP,
};

struct word {
	const char *name;
	enum word_kind kind;
	unsigned long flags;
	bool internal;	/* not for `features` */
};

/* Sorted by name. */
static const struct word words[] = {
	{"_netdev", DROP, 0, true},
	{"acl", SET, MS_POSIXACL, false},
	{"async", CLEAR, MS_SYNCHRONOUS, false},
	{"atime", CLEAR, MS_NOATIME, false},
	{"auto", DROP, 0, true},
	{"bind", BIND, 0, false},
	{"defaults", DROP, 0, false},
	{"dev", CLEAR, MS_NODEV, false},
	{"diratime", CLEAR, MS_NODIRATIME, false},
	{"dirsync", SET, MS_DIRSYNC, false},
	{"exec", CLEAR, MS_NOEXEC, false},
	{"idmap", IDMAP, 0, true},
	{"iversion", SET, MS_I_VERSION, false},
	{"lazytime", SET, MS_LAZYTIME, false},
	{"loud", CLEAR, MS_SILENT, false},
	{"mand", SET, MS_MANDLOCK, false},
	{"noacl", CLEAR, MS_POSIXACL, false},
	{"noatime", SET, MS_NOATIME, false},
	{"noauto", DROP, 0, true},
	{"nodev", SET, MS_NODEV, false},
	{"nodiratime", SET, MS_NODIRATIME, false},
	{"noexec", SET, MS_NOEXEC, false},
	{"nofail", DROP, 0, true},
	{"noiversion", CLEAR, MS_I_VERSION, false},
	{"nolazytime", CLEAR, MS_LAZYTIME, false},
	{"nomand", CLEAR, MS_MANDLOCK, false},
	{"norelatime", CLEAR, MS_RELATIME, false},
	{"nostrictatime", CLEAR, MS_STRICTATIME, false},
	{"nosuid", SET, MS_NOSUID, false},
	{"nosymfollow", SET, MS_NOSYMFOLLOW, false},
	{"nouser", DROP, 0, true},
	{"private", PROPAGATION, MS_PRIVATE, false},
	{"ratime", REC_CLEAR, MS_NOATIME, false},
	{"rbind", RBIND, 0, false},
	{"rdev", REC_CLEAR, MS_NODEV, false},
	{"rdiratime", REC_CLEAR, MS_NODIRATIME, false},
	{"relatime", SET, MS_RELATIME, false},
	{"remount", SET, MS_REMOUNT, false},
	{"rexec", REC_CLEAR, MS_NOEXEC, false},
	{"ridmap", IDMAP, 0, true},
	{"rnoatime", REC_SET, MS_NOATIME, false},
	{"rnodev", REC_SET, MS_NODEV, false},
	{"rnodiratime", REC_SET, MS_NODIRATIME, false},
	{"rnoexec", REC_SET, MS_NOEXEC, false},
	{"rnorelatime", REC_CLEAR, MS_RELATIME, false},
	{"rnostrictatime", REC_CLEAR, MS_STRICTATIME, false},
	{"rnosuid", REC_SET, MS_NOSUID, false},
	{"rnosymfollow", REC_SET, MS_NOSYMFOLLOW, false},
	{"ro", SET, MS_RDONLY, false},
	{"rprivate", PROPAGATION, MS_PRIVATE | MS_REC, false},
	{"rrelatime", REC_SET, MS_RELATIME, false},
	{"rro", REC_SET, MS_RDONLY, false},
	{"rrw", REC_CLEAR, MS_RDONLY, false},
	{"rshared", PROPAGATION, MS_SHARED | MS_REC, false},
	{"rslave", PROPAGATION, MS_SLAVE | MS_REC, false},
	{"rstrictatime", REC_SET, MS_STRICTATIME, false},
	{"rsuid", REC_CLEAR, MS_NOSUID, false},
	{"rsymfollow", REC_CLEAR, MS_NOSYMFOLLOW, false},
	{"runbindable", PROPAGATION, MS_UNBINDABLE | MS_REC, false},
	{"rw", CLEAR, MS_RDONLY, false},
	{"shared", PROPAGATION, MS_SHARED, false},
	{"silent", SET, MS_SILENT, false},
	{"slave", PROPAGATION, MS_SLAVE, false},
	{"strictatime", SET, MS_STRICTATIME, false},
	{"suid", CLEAR, MS_NOSUID, false},
	{"symfollow", CLEAR, MS_NOSYMFOLLOW, false},
	{"sync", SET, MS_SYNCHRONOUS, false},
	{"tmpcopyup", COPY_UP, 0, false},
	{"unbindable", PROPAGATION, MS_UNBINDABLE, false},
	{"user", DROP, 0, true},
};

static const struct word *find(const char *name)
{
	size_t low = 0, high = ARRAY_SIZE(words);

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(name, words[mid].name);

		if (!order)
			return &words[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* The last word wins: "ro,rw" is rw. */
static void set(unsigned long *on, unsigned long *off, unsigned long flags)
{
	*on |= flags;
	*off &= ~flags;
}

void mount_options_parse(const struct strv *list, struct mount_options *ret)
{
	AUTO(buf_clear) struct buf data = BUF_INIT;
	struct mount_options o = {0};

	STRV_EACH(p, list) {
		const struct word *w = find(*p);

		if (!w) {
			if (!**p)
				continue;
			buf_fmt(&data, "%s%s", data.len ? "," : "", *p);
			continue;
		}
		switch (w->kind) {
		case SET:
			set(&o.flags, &o.clear, w->flags);
			break;
		case CLEAR:
			set(&o.clear, &o.flags, w->flags);
			break;
		case REC_SET:
			set(&o.rec_set, &o.rec_clear, w->flags);
			break;
		case REC_CLEAR:
			set(&o.rec_clear, &o.rec_set, w->flags);
			break;
		case PROPAGATION:
			o.propagation = w->flags;
			break;
		case BIND:
			o.bind = true;
			break;
		case RBIND:
			o.bind = o.recursive = true;
			break;
		case COPY_UP:
			o.copy_up = true;
			break;
		case IDMAP:
			o.idmap = true;
			break;
		case DROP:
			break;
		}
	}
	if (data.len)
		o.data = buf_take(&data);
	*ret = o;
}

void mount_options_clear(struct mount_options *o)
{
	free(o->data);
	*o = (struct mount_options){0};
}

int mount_propagation_parse(const char *name, unsigned long *ret)
{
	const struct word *w;

	if (str_empty(name)) {
		*ret = 0;
		return 0;
	}
	w = find(name);
	if (!w || w->kind != PROPAGATION)
		return -EINVAL;
	*ret = w->flags;
	return 0;
}

const char *const *mount_option_words(void)
{
	static const char *names[ARRAY_SIZE(words) + 1];

	if (!names[0]) {
		size_t n = 0;

		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (!words[i].internal)
				names[n++] = words[i].name;
	}
	return names;
}
