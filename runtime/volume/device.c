/*
 * device - volumes that are a mount: docker's local driver options type, device and o.
 */
#include "runtime/volume/device.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"

static const struct {
	const char *word;
	unsigned long set, clear;
} words[] = {
	{"defaults", 0, 0},
	{"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},
	{"nosuid", MS_NOSUID, 0},
	{"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0},
	{"dev", 0, MS_NODEV},
	{"noexec", MS_NOEXEC, 0},
	{"exec", 0, MS_NOEXEC},
	{"sync", MS_SYNCHRONOUS, 0},
	{"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
	{"noatime", MS_NOATIME, 0},
	{"nodiratime", MS_NODIRATIME, 0},
	{"relatime", MS_RELATIME, 0},
	{"strictatime", MS_STRICTATIME, 0},
	{"bind", MS_BIND, 0},
	{"rbind", MS_BIND | MS_REC, 0},
};

/* Flags are collected; what is no flag is the file system's own ("size=1m,addr=...") and goes to @data when not NULL. */
static int parse(const char *options, unsigned long *ret_flags, struct buf *data, struct err *err)
{
	static const char *const refused[] = {"remount", "move", "shared", "slave", "private"};
	AUTO(strv_clear) struct strv list = {0};

	strv_split(&list, options, ",", false);
	STRV_EACH(word, &list) {
		size_t i = 0;

		for (size_t r = 0; r < ARRAY_SIZE(refused); r++)
			if (str_eq(*word, refused[r]))
				return err_set(err, ERR_INVALID,
					       "volume option o: '%s' makes no sense for a new mount", *word);
		while (i < ARRAY_SIZE(words) && !str_eq(words[i].word, *word))
			i++;
		if (i < ARRAY_SIZE(words))
			*ret_flags = (*ret_flags | words[i].set) & ~words[i].clear;
		else if (data)
			buf_fmt(data, "%s%s", data->len ? "," : "", *word);
	}
	return 0;
}

int volume_device_check(const char *options, struct err *err)
{
	unsigned long flags = 0;

	return parse(options, &flags, NULL, err);
}

/* /proc/self/mounts writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static int is_mounted(const char *target, bool *ret, struct err *err)
{
	auto_fclose FILE *mounts = fopen("/proc/self/mounts", "re");
	auto_free char *line = NULL;
	size_t size = 0;

	if (!mounts)
		return err_sys(err, errno, "open '/proc/self/mounts'");
	*ret = false;
	while (getline(&line, &size, mounts) > 0) {
		char *place = strchr(line, ' ');
		char *end = place ? strchr(place + 1, ' ') : NULL;

		if (!end)
			continue;
		*end = '\0';
		unescape(place + 1);
		if (str_eq(place + 1, target))
			*ret = true;
	}
	return 0;
}

int volume_device_mount(const char *device, const char *target, const char *type,
			const char *options, struct err *err)
{
	AUTO(buf_clear) struct buf data = BUF_INIT;
	unsigned long flags = 0;
	unsigned long later = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	bool mounted;
	int rc;

	rc = options ? parse(options, &flags, &data, err) : 0;
	if (rc == 0)
		rc = is_mounted(target, &mounted, err);
	if (rc < 0 || mounted)
		return rc;

	if (mount(device, target, type, flags, buf_cstr(&data)) < 0)
		return err_sys(err, errno, "mount '%s' (type %s, options %s)", device, type,
			       options ? options : "none");
	/* A bind takes its flags only in a second step. */
	if ((flags & MS_BIND) && (flags & later) &&
	    mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | (flags & later), NULL) < 0) {
		rc = err_sys(err, errno, "remount '%s' with %s", device, options);
		(void)umount2(target, MNT_DETACH); /* rc tells the cause */
		return rc;
	}
	return 0;
}

int volume_device_unmount(const char *target, struct err *err)
{
	bool mounted;
	int rc = is_mounted(target, &mounted, err);

	if (rc < 0 || !mounted)
		return rc;
	if (umount2(target, UMOUNT_NOFOLLOW) == 0)
		return 0;
	/* Busy where another mount namespace holds it still: out of sight at once, gone with the last user. */
	if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_sys(err, errno, "unmount '%s'", target);
	return 0;
}
