/*
 * device - volumes that are a mount: docker's local driver options type, device and o.
 */
#include "runtime/volume/device.h"

#include <stdbool.h>
#include <sys/mount.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/mountinfo.h"

static void parse(const char *text, struct mount_options *ret)
{
	AUTO(strv_clear) struct strv words = {0};

	strv_split(&words, text ? text : "", ",", false);
	mount_options_parse(&words, ret);
}

int volume_device_check(const char *text, struct err *err)
{
	static const char *const refused[] = {"remount", "move"};
	AUTO(strv_clear) struct strv words = {0};
	AUTO(mount_options_clear) struct mount_options options = {0};

	strv_split(&words, text, ",", false);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (strv_has(&words, refused[i]))
			return err_set(err, ERR_INVALID,
				       "volume option o: '%s' makes no sense for a new mount", refused[i]);

	parse(text, &options);
	if (options.propagation || options.rec_set || options.rec_clear || options.idmap ||
	    options.copy_up)
		return err_set(err, ERR_INVALID,
			       "volume option o: '%s' asks for propagation, recursion or id mapping, "
			       "which belong to -v",
			       text);
	return 0;
}

static int is_mounted(const char *target, bool *ret, struct err *err)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	int rc = mountinfo_read(NULL, &info, err);

	if (rc == 0)
		*ret = mountinfo_at(&info, target) != NULL;
	return rc;
}

int volume_device_mount(const char *device, const char *target, const char *type, const char *text,
			struct err *err)
{
	AUTO(mount_options_clear) struct mount_options options = {0};
	unsigned long flags;
	bool mounted = false;
	int rc = is_mounted(target, &mounted, err);

	if (rc < 0 || mounted)
		return rc;

	parse(text, &options);
	flags = options.flags;
	if (options.bind || options.recursive)
		flags |= MS_BIND | (options.recursive ? MS_REC : 0);
	if (mount(device, target, type, flags, options.data) < 0)
		return err_sys(err, errno, "mount '%s' (type %s, options %s)", device, type,
			       text ? text : "none");
	/* A bind takes its flags only in a second step. */
	if ((flags & MS_BIND) && (flags & ~(unsigned long)(MS_BIND | MS_REC)) &&
	    mount(NULL, target, NULL, MS_REMOUNT | (flags & ~(unsigned long)MS_REC), NULL) < 0) {
		rc = err_sys(err, errno, "remount '%s' with %s", device, text);
		(void)umount2(target, MNT_DETACH); /* rc tells the cause */
		return rc;
	}
	return 0;
}

int volume_device_unmount(const char *target, struct err *err)
{
	bool mounted = false;
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
