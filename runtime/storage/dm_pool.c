/*
 * dm_pool - the pool that thin devices take their blocks from
 */
#include "runtime/storage/dm_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/loop.h"

#define DATA	 "data"
#define METADATA "metadata"
#define CLAIM	 "pool.json"

enum {
	FULL_PERCENT = 80,
	ID_MAX = (1 << 24) - 1,
	CHECK_TIMEOUT_MS = 600000,
	ROOM_MIN = 64 << 20,
	PROBE_DATA = 4 << 20,
	PROBE_METADATA = 2 << 20,
};

/* What the administrator was told, in the order of how bad it is. */
enum { TOLD_NOTHING, TOLD_DISK, TOLD_FULL, TOLD_OUT, TOLD_BROKEN };

/* BLKGETSIZE64 of linux/fs.h, which does not get on with sys/mount.h. */
#define DEVICE_SIZE _IOR(0x12, 114, size_t)

/* ---- what is said to the kernel, and what it says ---- */

int dm_pool_line(char args[120], dev_t metadata, dev_t data, uint64_t low_water, bool may_fail)
{
	return str_fmt(args, 120, "%u:%u %u:%u %d %" PRIu64 " %s", major(metadata), minor(metadata), major(data),
		       minor(data), DM_POOL_BLOCK, low_water,
		       may_fail ? "2 skip_block_zeroing error_if_no_space" : "1 skip_block_zeroing");
}

int dm_pool_parse(const char *status, struct dm_pool_status *ret)
{
	AUTO(strv_clear) struct strv words = {0};

	*ret = (struct dm_pool_status){0};
	if (str_starts(status, "Fail") || str_starts(status, "Error")) {
		ret->failed = true;
		return 0;
	}
	if (sscanf(status, "%*u %" SCNu64 "/%" SCNu64 " %" SCNu64 "/%" SCNu64, &ret->metadata_used, &ret->metadata_total,
		   &ret->data_used, &ret->data_total) != 4 || !ret->metadata_total || !ret->data_total)
		return -EINVAL;
	strv_split(&words, status, " ", false);
	ret->read_only = strv_has(&words, "ro");
	ret->out_of_data = strv_has(&words, "out_of_data_space") || ret->data_used >= ret->data_total;
	ret->needs_check = strv_has(&words, "needs_check");
	return 0;
}

static char *pool_name(const struct dm_pool *p)
{
	return dm_fs_name(&p->fs, DM_POOL_SUFFIX);
}

int dm_pool_status(const struct dm_pool *p, struct dm_pool_status *ret, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *name = pool_name(p);
	int rc = dm_status(p->fs.control, name, false, &text, err);

	if (rc < 0)
		return rc;
	if (dm_pool_parse(buf_cstr(&text), ret) < 0)
		return err_set(err, ERR_INTERNAL, "thin pool '%s' has a status that is not understood: %.100s", name,
			       buf_cstr(&text));
	return 0;
}

/* The numbers of the devices below an active pool. */
static int devices_below(const struct dm_pool *p, dev_t *ret_metadata, dev_t *ret_data, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *name = pool_name(p);
	unsigned int a, b, c, d;
	int rc = dm_status(p->fs.control, name, true, &text, err);

	if (rc < 0)
		return rc;
	if (sscanf(buf_cstr(&text), "%u:%u %u:%u ", &a, &b, &c, &d) != 4)
		return err_set(err, ERR_INTERNAL, "thin pool '%s' has a table that is not understood: %.100s", name,
			       buf_cstr(&text));
	*ret_metadata = makedev(a, b);
	*ret_data = makedev(c, d);
	return 0;
}

/* ---- the devices below it ---- */

struct below {
	dev_t metadata, data;
	uint64_t data_bytes;
	int fds[2];		/* loop devices, until the pool has them */
};

static int device_size(const char *path, dev_t *ret, uint64_t *ret_bytes, struct err *err)
{
	auto_fd int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(err, errno, "open device '%s' of the thin pool", path);
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' of the thin pool is not a block device", path);
	if (ioctl(fd, DEVICE_SIZE, ret_bytes) < 0)
		return err_sys(err, errno, "ask for the size of '%s'", path);
	*ret = st.st_rdev;
	return 0;
}

/* Zeros up to @to, taken from the disk now. */
static int allocate(int fd, uint64_t from, uint64_t to)
{
	static const char zeros[65536];

	if (fallocate(fd, 0, (off_t)from, (off_t)(to - from)) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	while (from < to) {
		size_t want = to - from < sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
		ssize_t n = pwrite(fd, zeros, want, (off_t)from);

		if (n < 0 && errno != EINTR)
			return -errno;
		from += n > 0 ? (uint64_t)n : 0;
	}
	return 0;
}

/* The file @name of at least @size bytes; a larger one stays as it is. */
static int have_file(struct storage *s, const char *name, uint64_t size, bool whole, uint64_t *ret_size, struct err *err)
{
	auto_fd int fd = openat(s->dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open '%s/%s'", s->dir, name);
	*ret_size = (uint64_t)st.st_size > size ? (uint64_t)st.st_size : size;
	if ((uint64_t)st.st_size < size) {
		if (whole)
			rc = allocate(fd, (uint64_t)st.st_size, size);
		else if (ftruncate(fd, (off_t)size) < 0)
			rc = -errno;
		/* Half of it would be taken for all of it. */
		if (rc < 0 && ftruncate(fd, st.st_size) < 0)
			rc = -errno;
	}
	return rc < 0 ? err_sys(err, -rc, "make '%s/%s'", s->dir, name) : 0;
}

static int attach_file(struct storage *s, const struct dm_pool *p, const char *name, dev_t *ret, int *ret_fd,
		       struct err *err)
{
	auto_free char *path = path_join(s->dir, name);

	return loop_attach(path, false, p->fs.nodes, ret, ret_fd, err);
}

static int open_below(struct storage *s, const struct dm_pool *p, struct below *b, struct err *err)
{
	uint64_t bytes;
	int rc;

	if (p->data_device) {
		rc = device_size(p->metadata_device, &b->metadata, &bytes, err);
		return rc < 0 ? rc : device_size(p->data_device, &b->data, &b->data_bytes, err);
	}
	rc = have_file(s, METADATA, p->metadata_size, true, &bytes, err);
	if (rc == 0)
		rc = have_file(s, DATA, p->data_size, false, &b->data_bytes, err);
	if (rc == 0)
		rc = attach_file(s, p, METADATA, &b->metadata, &b->fds[0], err);
	if (rc == 0)
		rc = attach_file(s, p, DATA, &b->data, &b->fds[1], err);
	return rc;
}

/* ---- whose pool it is ---- */

/* DIR/pool.json: the devices that this home's layers are on; "" for its own files */
struct claim {
	char *data, *metadata;
};

static const struct json_field claim_fields[] = {
	JSON_FIELD(struct claim, data, "data", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct claim, metadata, "metadata", JSON_STR, JSON_REQUIRED),
};
static const struct json_table claim_table = JSON_TABLE("pool", struct claim, claim_fields);

static bool is_blank(const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first[4096] = {0};

	return fd >= 0 && pread(fd, first, sizeof(first), 0) >= 0 && !first[0] &&
	       memcmp(first, first + 1, sizeof(first) - 1) == 0;
}

/* Another home's pool on the same devices, and another pool under this home's layers, would both be destroyed. */
static int claim_pool(struct storage *s, const struct dm_pool *p, struct err *err)
{
	const struct claim wanted = {p->data_device ? p->data_device : (char *)"",
				     p->metadata_device ? p->metadata_device : (char *)""};
	struct claim got = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = json_parse_file(&claim_table, s->dirfd, CLAIM, 8192, 0, &got, err);

	if (rc == 0 && (!str_eq(got.data, wanted.data) || !str_eq(got.metadata, wanted.metadata)))
		rc = err_set(err, ERR_INVALID, "the layers in '%s' are in a pool on %s%s%s: give it the same storage options again", s->dir,
			     *got.data ? "dm.datadev=" : "files of its own", got.data, *got.data ? "" : ", without dm.datadev");
	json_clear(&claim_table, &got);
	if (rc != -ENOENT)
		return rc;
	if (p->metadata_device && !is_blank(p->metadata_device))
		return err_set(err, ERR_CONFLICT,
			       "the thin pool on '%s' is not of this home; to make a new one there: dd if=/dev/zero of=%s bs=4096 count=1",
			       p->metadata_device, p->metadata_device);
	json_print(&claim_table, &wanted, 0, &text);
	return file_replace(s->dirfd, CLAIM, text.data, text.len, 0600, FILE_SYNC, err);
}

/* ---- the pool ---- */

#define REPAIR "stop pouchd, mend it with thin_repair (package thin-provisioning-tools), and start again"

/* A pool that was never used has no metadata yet. */
static int check_metadata(struct storage *s, const struct dm_pool *p, struct err *err)
{
	auto_free char *file = path_join(s->dir, METADATA);
	char *path = p->metadata_device ? p->metadata_device : file;
	char *argv[] = {(char *)"thin_check", (char *)"-q", (char *)"--clear-needs-check-flag", path, NULL};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct err why = ERR_INIT;
	int status;

	if (is_blank(path))
		return 0;
	if (proc_run(argv, NULL, &out, &out, CHECK_TIMEOUT_MS, &status, &why) < 0 || proc_exit_code(status) == 127)
		return 0;	/* not installed: the kernel will say what it thinks */
	if (proc_exit_code(status) == 0)
		return 0;
	return err_set(err, ERR_UNAVAILABLE, "the metadata of the thin pool is damaged, says thin_check: '%s': " REPAIR, path);
}

static int activate_pool(struct storage *s, struct dm_pool *p, struct err *err)
{
	auto_free char *name = pool_name(p);
	struct below b = {.fds = {-1, -1}};
	struct dm_line line = {0, 0, "thin-pool", NULL};
	uint64_t blocks;
	char args[120];
	dev_t dev;
	int rc = open_below(s, p, &b, err);

	blocks = b.data_bytes / 512 / DM_POOL_BLOCK;
	line.length = blocks * DM_POOL_BLOCK;
	line.args = args;
	/* Kernels before 3.15 hold writers when the pool is full; the newer ones may be told to refuse. */
	for (int may_fail = 1; rc == 0 && may_fail >= 0; may_fail--) {
		rc = dm_pool_line(args, b.metadata, b.data, blocks / 5, may_fail);
		if (rc == 0)
			rc = dm_activate(p->fs.control, name, &line, false, &dev, err);
		if (rc == 0 || !may_fail)
			break;
		rc = rc == -EINVAL ? 0 : rc;
	}
	for (size_t i = 0; i < 2; i++)
		auto_close_fn(&b.fds[i]);	/* the pool holds them now, or nobody does */
	return err_wrap(err, rc, "activate the thin pool");
}

static int check_mode(const struct dm_pool_status *st, struct err *err)
{
	if (st->failed)
		return err_set(err, ERR_UNAVAILABLE, "the thin pool has failed: " REPAIR);
	if (st->needs_check)
		return err_set(err, ERR_UNAVAILABLE,
			       "the thin pool must be checked: stop pouchd and all containers, install thin-provisioning-tools, and start "
			       "again (pouchd runs thin_check)");
	if (st->read_only)
		return err_set(err, ERR_UNAVAILABLE, "the thin pool is read-only after an error of its metadata device: " REPAIR);
	return 0;
}

int dm_pool_open(struct storage *s, struct dm_pool *p, struct err *err)
{
	auto_free char *name = pool_name(p);
	auto_free char *node = path_join(p->fs.nodes, DM_POOL_SUFFIX);
	struct dm_pool_status status;
	struct dm_state state;
	int rc = claim_pool(s, p, err);

	if (rc < 0)
		return rc;
	rc = dm_state(p->fs.control, name, &state, NULL);
	/* One without a table was being made when a process was killed. */
	if (rc == 0 && !state.has_table) {
		(void)dm_remove(p->fs.control, name, 1000, NULL, NULL);	/* met again below */
		rc = -ENXIO;
	}
	if (rc < 0) {
		rc = p->metadata_device || faccessat(s->dirfd, METADATA, F_OK, 0) == 0 ? check_metadata(s, p, err) : 0;
		if (rc == 0)
			rc = activate_pool(s, p, err);
	} else if (state.suspended) {
		rc = dm_resume(p->fs.control, name, err);	/* killed while it grew */
	}
	if (rc == 0)
		rc = dm_state(p->fs.control, name, &state, err);
	if (rc == 0)
		rc = dm_node(node, state.dev, err);
	if (rc == 0)
		rc = dm_pool_status(p, &status, err);
	return rc == 0 ? check_mode(&status, err) : rc;
}

void dm_pool_release(struct dm_pool *p)
{
	AUTO(strv_clear) struct strv names = {0};

	/* Busy where a thin device is active; that is what we want to know. */
	if (dm_list(p->fs.control, p->fs.prefix, &names, NULL) == 0 && names.n == 1)
		(void)dm_fs_deactivate(&p->fs, DM_POOL_SUFFIX, 1000, NULL);
}

/* ---- growth ---- */

static bool is_nearly_full(uint64_t used, uint64_t total)
{
	return used >= total / 100 * FULL_PERCENT;
}

/* With the lock held. Half as much again of what is nearly full. */
static int grow(struct storage *s, struct dm_pool *p, const struct dm_pool_status *st, struct err *err)
{
	auto_free char *name = pool_name(p);
	struct dm_line line = {0, 0, "thin-pool", NULL};
	uint64_t data = st->data_total * DM_POOL_BLOCK * 512, metadata = st->metadata_total * 4096, got;
	dev_t metadata_dev = 0, data_dev = 0;
	char args[120];
	int rc = devices_below(p, &metadata_dev, &data_dev, err);

	if (rc == 0 && is_nearly_full(st->metadata_used, st->metadata_total)) {
		rc = have_file(s, METADATA, metadata + metadata / 2, true, &got, err);
		if (rc == 0)
			rc = loop_refresh(metadata_dev, p->fs.nodes, err);
	}
	if (rc == 0 && is_nearly_full(st->data_used, st->data_total)) {
		rc = have_file(s, DATA, data + data / 2, false, &data, err);
		if (rc == 0)
			rc = loop_refresh(data_dev, p->fs.nodes, err);
	}
	if (rc < 0)
		return rc;
	line.length = data / 512 / DM_POOL_BLOCK * DM_POOL_BLOCK;
	line.args = args;
	for (int may_fail = 1; may_fail >= 0; may_fail--) {
		rc = dm_pool_line(args, metadata_dev, data_dev, line.length / DM_POOL_BLOCK / 5, may_fail);
		if (rc == 0)
			rc = dm_load(p->fs.control, name, &line, false, err);
		if (rc != -EINVAL)
			break;
	}
	return rc == 0 ? dm_resume(p->fs.control, name, err) : rc;
}

static bool wants_growth(const struct dm_pool *p, const struct dm_pool_status *st)
{
	return !p->data_device && !st->failed && !st->read_only &&
	       (is_nearly_full(st->data_used, st->data_total) || is_nearly_full(st->metadata_used, st->metadata_total));
}

static int look_and_grow(struct storage *s, struct dm_pool *p, struct dm_pool_status *ret, struct err *err)
{
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = dm_pool_status(p, ret, err);
	if (rc == 0 && wants_growth(p, ret)) {
		rc = err_wrap(err, grow(s, p, ret, err), "enlarge the thin pool");
		if (rc == 0)
			rc = dm_pool_status(p, ret, err);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

int dm_pool_check(struct storage *s, struct dm_pool *p, struct err *err)
{
	struct dm_pool_status st;
	int rc = look_and_grow(s, p, &st, err);

	if (rc == 0)
		rc = check_mode(&st, err);
	if (rc == 0 && st.out_of_data)
		return err_set(err, ERR_NO_SPACE, "the thin pool has no free block: remove containers or images, or enlarge its devices");
	return rc;
}

static bool disk_is_full(struct storage *s)
{
	struct statvfs fs;

	return fstatvfs(s->dirfd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < ROOM_MIN;
}

void dm_pool_watch(struct storage *s, struct dm_pool *p)
{
	struct dm_pool_status st;
	struct err err = ERR_INIT;
	int told = TOLD_NOTHING;

	if (look_and_grow(s, p, &st, &err) < 0) {
		told = TOLD_BROKEN;
	} else if (check_mode(&st, &err) < 0) {
		told = TOLD_BROKEN;
	} else if (st.out_of_data) {
		told = TOLD_OUT;
		(void)err_set(&err, ERR_NO_SPACE, "the thin pool has no free block: containers' writes fail until there is room");
	} else if (is_nearly_full(st.data_used, st.data_total) || is_nearly_full(st.metadata_used, st.metadata_total)) {
		told = TOLD_FULL;
		(void)err_set(&err, ERR_NO_SPACE, "the thin pool is filled to over %d %%", FULL_PERCENT);
	} else if (!p->data_device && disk_is_full(s)) {
		told = TOLD_DISK;
		(void)err_set(&err, ERR_NO_SPACE, "the disk under '%s' is full, where the thin pool's files are: containers' writes fail",
			      s->dir);
	}
	if (told > p->warned)
		storage_warn(s, "%s", err.msg);
	p->warned = told;
}

/* ---- thin devices ---- */

uint64_t dm_pool_next_id(struct dm_pool *p)
{
	uint64_t id;

	pthread_mutex_lock(&p->lock);
	id = p->next_id++;
	pthread_mutex_unlock(&p->lock);
	return id;
}

int dm_pool_create(const struct dm_pool *p, uint64_t id, uint64_t origin, struct err *err)
{
	auto_free char *name = pool_name(p);
	auto_free char *message = origin ? xfmt("create_snap %" PRIu64 " %" PRIu64, id, origin) :
					   xfmt("create_thin %" PRIu64, id);

	if (id > ID_MAX)
		return err_set(err, ERR_TOO_LARGE, "the thin pool has used up its %d numbers of devices", ID_MAX);
	return dm_message(p->fs.control, name, message, err);
}

int dm_pool_delete(const struct dm_pool *p, uint64_t id, struct err *err)
{
	auto_free char *name = pool_name(p);
	auto_free char *message = xfmt("delete %" PRIu64, id);
	int rc = dm_message(p->fs.control, name, message, err);

	return rc == -ENODATA ? 0 : rc;
}

const char *dm_pool_suffix(uint64_t id, char ret[DM_FS_NAME_MAX])
{
	(void)str_fmt(ret, DM_FS_NAME_MAX, "t%" PRIu64, id);	/* fits */
	return ret;
}

int dm_pool_activate(const struct dm_pool *p, uint64_t id, char **ret_node, struct err *err)
{
	auto_free char *name = pool_name(p);
	auto_free char *args = NULL;
	struct dm_line line = {0, p->fs.size / 512, "thin", NULL};
	char suffix[DM_FS_NAME_MAX];
	struct dm_state pool;
	int rc = dm_state(p->fs.control, name, &pool, err);

	if (rc < 0)
		return rc;
	args = xfmt("%u:%u %" PRIu64, major(pool.dev), minor(pool.dev), id);
	line.args = args;
	return dm_fs_activate(&p->fs, dm_pool_suffix(id, suffix), &line, ret_node, err);
}

int dm_pool_mapped(const struct dm_pool *p, uint64_t id, uint64_t *ret_sectors)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char suffix[DM_FS_NAME_MAX];
	auto_free char *name = dm_fs_name(&p->fs, dm_pool_suffix(id, suffix));
	int rc = dm_status(p->fs.control, name, false, &text, NULL);

	if (rc < 0)
		return rc;
	return sscanf(buf_cstr(&text), "%" SCNu64, ret_sectors) == 1 ? 0 : -EINVAL;
}

/* ---- probe ---- */

static int probe_pool(int control, const char *pool, const char *thin, const struct below *b, struct err *err)
{
	struct dm_line line = {0, PROBE_DATA / 512, "thin-pool", NULL};
	char args[120];
	dev_t dev = 0;
	int rc = dm_pool_line(args, b->metadata, b->data, 0, false);

	line.args = args;
	if (rc == 0)
		rc = dm_activate(control, pool, &line, false, &dev, err);
	if (rc < 0)
		return rc;
	rc = dm_message(control, pool, "create_thin 1", err);
	if (rc == 0)
		rc = dm_message(control, pool, "create_snap 2 1", err);
	if (rc == 0) {
		(void)str_fmt(args, sizeof(args), "%u:%u 2", major(dev), minor(dev));	/* fits */
		line = (struct dm_line){0, PROBE_DATA / 512, "thin", args};
		rc = dm_activate(control, thin, &line, false, &dev, err);
	}
	if (rc == 0)
		rc = dm_remove(control, thin, 1000, NULL, err);
	if (dm_remove(control, pool, 1000, NULL, rc < 0 ? NULL : err) < 0 && rc == 0)
		rc = -EBUSY;
	return rc;
}

struct fit dm_pool_probe(int control, const char *dir)
{
	auto_free char *pool = xfmt("pouch-probe-%d-pool", (int)getpid());
	auto_free char *thin = xfmt("pouch-probe-%d-thin", (int)getpid());
	struct below b = {.fds = {-1, -1}};
	struct err err = ERR_INIT;
	int rc = 0;

	for (size_t i = 0; i < 2 && rc == 0; i++) {
		auto_free char *path = path_join(dir, i ? DATA : METADATA);
		auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0 || ftruncate(fd, i ? PROBE_DATA : PROBE_METADATA) < 0)
			rc = err_sys(&err, errno, "make a sparse file in the home");
		if (rc == 0)
			rc = loop_attach(path, false, dir, i ? &b.data : &b.metadata, &b.fds[i], &err);
		(void)unlink(path);	/* attached, or of no use */
	}
	if (rc == 0)
		rc = probe_pool(control, pool, thin, &b, &err);
	for (size_t i = 0; i < 2; i++)
		auto_close_fn(&b.fds[i]);
	if (rc < 0)
		return fit(FIT_NO, "%s", err.msg);
	return fit(FIT_GOOD - 5, "thin snapshots in a pool on %s", storage_fs_name(dir));
}
