/*
 * dm - device-mapper devices, by the ioctls of its control device.
 */
#include "compat/kernel/dm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

#ifndef DM_DEFERRED_REMOVE
#define DM_DEFERRED_REMOVE (1 << 17)
#endif

enum {
	ANSWER_ROOM = 16384,
	ANSWER_MAX = 4 << 20,	/* a list of 30000 devices */
	MISC_MAJOR = 10,
	CONTROL_MINOR = 236,	/* since 2.6.36; before, /proc/misc tells */
	RETRY_MS = 10,
};

/* ---- the control device ---- */

/* "236 device-mapper" */
static unsigned int control_minor(void)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *line, *rest;

	if (file_read(AT_FDCWD, "/proc/misc", 1 << 16, &text, NULL) < 0)
		return CONTROL_MINOR;
	rest = text.data;
	while (rest && (line = strsep(&rest, "\n"))) {
		unsigned int minor;
		char name[32];

		if (sscanf(line, " %u %31s", &minor, name) == 2 && strcmp(name, "device-mapper") == 0)
			return minor;
	}
	return CONTROL_MINOR;
}

static int open_node(const char *path)
{
	struct dm_ioctl dm = {.version = {DM_VERSION_MAJOR}, .data_size = sizeof(dm), .data_start = sizeof(dm)};
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return ioctl(fd, DM_VERSION, &dm) < 0 ? -errno : fd_take(&fd);
}

int dm_open(const char *scratch, int *ret_fd, struct err *err)
{
	auto_free char *path = NULL;
	int fd = open_node("/dev/mapper/control");

	if (fd < 0) {
		path = xfmt("%s/.dm-control-%d", scratch, (int)getpid());
		if (mknod(path, S_IFCHR | 0600, makedev(MISC_MAJOR, control_minor())) < 0 && errno != EEXIST)
			return err_sys(err, errno, "make a node of device-mapper's control device");
		fd = open_node(path);
		(void)unlink(path);	/* open, or of no use */
	}
	if (fd < 0)
		return err_sys(err, -fd, "open device-mapper's control device (is the module dm_mod loaded?)");
	*ret_fd = fd;
	return 0;
}

int dm_node(const char *path, dev_t dev, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == dev)
		return 0;
	if ((unlink(path) < 0 && errno != ENOENT) || mknod(path, S_IFBLK | 0600, dev) < 0)
		return err_sys(err, errno, "make device node '%s'", path);
	return 0;
}

/* ---- requests and answers ---- */

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

int dm_pack(struct buf *ret, const char *name, uint32_t flags, const struct dm_line *line, const char *message,
	    size_t room, struct err *err)
{
	size_t args = line ? strlen(line->args) + 1 : 0;
	size_t body = line ? align8(sizeof(struct dm_target_spec) + args) :
		      message ? align8(sizeof(struct dm_target_msg) + strlen(message) + 1) : 0;
	size_t size = sizeof(struct dm_ioctl) + (body > room ? body : room);
	struct dm_ioctl *dm;
	char *at;

	if (name && (!*name || strlen(name) >= DM_NAME_LEN))
		return err_set(err, ERR_INVALID, "'%.140s' is no name for a device-mapper device", name);
	if (line && strlen(line->target) >= sizeof(((struct dm_target_spec *)NULL)->target_type))
		return err_set(err, ERR_INVALID, "'%.40s' is no device-mapper target", line->target);
	buf_reset(ret);
	dm = (void *)buf_room(ret, size);
	memset(dm, 0, size);
	ret->len = size;
	dm->version[0] = DM_VERSION_MAJOR;
	dm->data_size = (uint32_t)size;
	dm->data_start = sizeof(*dm);
	dm->flags = flags;
	if (name)
		memcpy(dm->name, name, strlen(name));
	at = (char *)dm + sizeof(*dm);
	if (line) {
		struct dm_target_spec *spec = (void *)at;

		dm->target_count = 1;
		spec->sector_start = line->start;
		spec->length = line->length;
		spec->next = (uint32_t)body;
		memcpy(spec->target_type, line->target, strlen(line->target));
		memcpy(at + sizeof(*spec), line->args, args);
	} else if (message) {
		memcpy(at + offsetof(struct dm_target_msg, message), message, strlen(message) + 1);
	}
	return 0;
}

/* The request in @b becomes its answer. Returns 0 or -errno. */
static int call(int fd, unsigned long request, struct buf *b)
{
	struct dm_ioctl *dm = (void *)b->data;

	return ioctl(fd, request, dm) < 0 ? -errno : 0;
}

static int call_named(int fd, unsigned long request, const char *name, uint32_t flags, const struct dm_line *line,
		      struct buf *b, struct err *err)
{
	int rc = dm_pack(b, name, flags, line, NULL, 0, err);

	return rc < 0 ? rc : call(fd, request, b);
}

/* Again with more room until the answer fits. Returns 0 or -errno. */
static int call_for_text(int fd, unsigned long request, const char *name, uint32_t flags, struct buf *b)
{
	for (size_t room = ANSWER_ROOM; room <= ANSWER_MAX; room *= 4) {
		int rc = dm_pack(b, name, flags, NULL, NULL, room, NULL);

		if (rc == 0)
			rc = call(fd, request, b);
		if (rc < 0)
			return rc;
		if (!(((struct dm_ioctl *)(void *)b->data)->flags & DM_BUFFER_FULL_FLAG))
			return 0;
	}
	return -E2BIG;
}

/* What lies at @offset behind the header, if @size bytes are there. */
static const void *answer_at(const struct buf *b, size_t offset, size_t size)
{
	const struct dm_ioctl *dm = (const void *)b->data;
	size_t end = dm->data_size < b->len ? dm->data_size : b->len;

	if (dm->data_start > end || offset > end - dm->data_start || size > end - dm->data_start - offset)
		return NULL;
	return b->data + dm->data_start + offset;
}

int dm_version(int fd, char ret[32], struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_named(fd, DM_VERSION, NULL, 0, NULL, &b, err);
	const struct dm_ioctl *dm = (const void *)b.data;

	if (rc < 0)
		return err_sys(err, -rc, "ask device-mapper for its version");
	return str_fmt(ret, 32, "%u.%u.%u", dm->version[0], dm->version[1], dm->version[2]);
}

static bool is_listed(int fd, const char *target, char version[32])
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	const struct dm_target_versions *t;
	size_t at = 0;

	if (call_for_text(fd, DM_LIST_VERSIONS, NULL, 0, &b) < 0)
		return false;
	while ((t = answer_at(&b, at, sizeof(*t)))) {
		size_t left = b.len - (size_t)((const char *)t->name - b.data);

		if (strnlen(t->name, left) < left && strcmp(t->name, target) == 0) {
			if (version)
				(void)str_fmt(version, 32, "%u.%u.%u", t->version[0], t->version[1], t->version[2]);
			return true;
		}
		if (!t->next)
			break;
		at += t->next;
	}
	return false;
}

/* A table that cannot be right still has the kernel look for the target, and load its module. */
bool dm_has_target(int fd, const char *target, char version[32])
{
	const struct dm_line line = {0, 1, target, ""};
	auto_free char *name = NULL;

	if (is_listed(fd, target, version))
		return true;
	name = xfmt("pouch-probe-%d-%" PRIx64, (int)getpid(), (uint64_t)time_now_ns());
	if (dm_create(fd, name, NULL, NULL) < 0)
		return false;
	(void)dm_load(fd, name, &line, false, NULL);	/* fails, one way or the other */
	(void)dm_remove(fd, name, 100, NULL, NULL);
	return is_listed(fd, target, version);
}

/* ---- devices ---- */

int dm_create(int fd, const char *name, dev_t *ret, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_named(fd, DM_DEV_CREATE, name, 0, NULL, &b, err);
	const struct dm_ioctl *dm = (const void *)b.data;

	if (rc == -EBUSY)
		return err_set(err, ERR_CONFLICT, "there is a device-mapper device '%s' already", name);
	if (rc < 0)
		return err_sys(err, -rc, "create device-mapper device '%s'", name);
	if (ret)
		*ret = (dev_t)dm->dev;
	return 0;
}

int dm_load(int fd, const char *name, const struct dm_line *line, bool read_only, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_named(fd, DM_TABLE_LOAD, name, read_only ? DM_READONLY_FLAG : 0, line, &b, err);

	if (rc < 0)
		return err_sys(err, -rc, "load table '%s %.200s' of device-mapper device '%s'", line->target,
			       line->args, name);
	return 0;
}

int dm_resume(int fd, const char *name, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_named(fd, DM_DEV_SUSPEND, name, 0, NULL, &b, err);

	return rc < 0 ? err_sys(err, -rc, "resume device-mapper device '%s'", name) : 0;
}

int dm_suspend(int fd, const char *name, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_named(fd, DM_DEV_SUSPEND, name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG, NULL, &b, err);

	return rc < 0 ? err_sys(err, -rc, "suspend device-mapper device '%s'", name) : 0;
}

int dm_activate(int fd, const char *name, const struct dm_line *line, bool read_only, dev_t *ret, struct err *err)
{
	int rc = dm_create(fd, name, ret, err);

	if (rc < 0)
		return rc;
	rc = dm_load(fd, name, line, read_only, err);
	if (rc == 0)
		rc = dm_resume(fd, name, err);
	if (rc < 0)
		(void)dm_remove(fd, name, 1000, NULL, NULL);	/* the first error is told */
	return rc;
}

int dm_remove(int fd, const char *name, int wait_ms, bool *ret_deferred, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_named(fd, DM_DEV_REMOVE, name, 0, NULL, &b, err);

	if (ret_deferred)
		*ret_deferred = false;
	for (int waited = 0; rc == -EBUSY && waited < wait_ms; waited += RETRY_MS) {
		struct timespec step = {0, RETRY_MS * 1000000L};

		nanosleep(&step, NULL);
		rc = call_named(fd, DM_DEV_REMOVE, name, 0, NULL, &b, err);
	}
	/* A kernel that does not know the flag ignores it, and is as busy as before. */
	if (rc == -EBUSY && ret_deferred) {
		rc = call_named(fd, DM_DEV_REMOVE, name, DM_DEFERRED_REMOVE, NULL, &b, err);
		*ret_deferred = rc == 0;
	}
	if (rc < 0 && rc != -ENXIO)
		return err_sys(err, -rc, "remove device-mapper device '%s'", name);
	return 0;
}

int dm_state(int fd, const char *name, struct dm_state *ret, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_named(fd, DM_DEV_STATUS, name, 0, NULL, &b, err);
	const struct dm_ioctl *dm = (const void *)b.data;

	if (rc == -ENXIO) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no device-mapper device '%s'", name);
		return rc;
	}
	if (rc < 0)
		return err_sys(err, -rc, "look at device-mapper device '%s'", name);
	*ret = (struct dm_state){
		.dev = (dev_t)dm->dev,
		.open_count = dm->open_count,
		.has_table = dm->flags & DM_ACTIVE_PRESENT_FLAG,
		.suspended = dm->flags & DM_SUSPEND_FLAG,
	};
	return 0;
}

int dm_status(int fd, const char *name, bool table, struct buf *ret, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_for_text(fd, DM_TABLE_STATUS, name, table ? DM_STATUS_TABLE_FLAG : 0, &b);
	const struct dm_target_spec *spec;
	const char *text;

	if (rc < 0)
		return err_sys(err, -rc, "ask for the status of device-mapper device '%s'", name);
	spec = ((struct dm_ioctl *)(void *)b.data)->target_count ? answer_at(&b, 0, sizeof(*spec)) : NULL;
	if (!spec)
		return err_set(err, ERR_INTERNAL, "device-mapper device '%s' has no table", name);
	text = (const char *)(spec + 1);
	buf_reset(ret);
	buf_add(ret, text, strnlen(text, b.len - (size_t)(text - b.data)));
	return 0;
}

int dm_list(int fd, const char *prefix, struct strv *ret, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = call_for_text(fd, DM_LIST_DEVICES, NULL, 0, &b);
	const struct dm_name_list *item;
	size_t at = 0;

	if (rc < 0)
		return err_sys(err, -rc, "list device-mapper devices");
	while ((item = answer_at(&b, at, sizeof(*item))) && item->dev) {
		size_t left = b.len - (size_t)((const char *)item->name - b.data);

		if (strnlen(item->name, left) < left && str_starts(item->name, prefix))
			strv_add(ret, item->name);
		if (!item->next)
			break;
		at += item->next;
	}
	return 0;
}

int dm_message(int fd, const char *name, const char *message, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = dm_pack(&b, name, 0, NULL, message, 0, err);

	if (rc == 0)
		rc = call(fd, DM_TARGET_MSG, &b);
	if (rc < 0)
		return err_sys(err, -rc, "send '%s' to device-mapper device '%s'", message, name);
	return 0;
}
