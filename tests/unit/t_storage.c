/*
 * t_storage - one contract for all storage drivers, on real file systems in loop devices
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/storage/storage.h"

static struct err err;
static char work[64];		/* where the file systems are mounted */
static char home[128];		/* of the test at hand */
static const char *driver;	/* of the test at hand */
static struct strv options;	/* for it */
static char warned[2000];	/* what the administrator was told */

#define CHAIN(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
static const char *const a = CHAIN("0a"), *const b = CHAIN("0b"), *const c = CHAIN("0c");

/* ---- the file systems ---- */

static const struct backing {
	const char *name;
	const char *mkfs;	/* "" needs no device; NULL: a directory of the host */
} backings[] = {
	{"ext4", "mkfs.ext4 -q -F"},
	{"xfs", "mkfs.xfs -q -f"},
	{"btrfs", "mkfs.btrfs -q -f"},
	{"tmpfs", ""},
};

static int shell(const char *fmt, ...)
{
	auto_free char *cmd = NULL;
	va_list ap;
	int status;

	va_start(ap, fmt);
	if (vasprintf(&cmd, fmt, ap) < 0)
		abort();
	va_end(ap);
	char *argv[] = {"/bin/sh", "-c", cmd, NULL};

	if (proc_run(argv, NULL, NULL, NULL, 60000, &status, &err) < 0)
		return -1;
	return proc_exit_code(status);
}

static bool backing_up(const struct backing *fs)
{
	if (shell("mkdir -p %s/%s", work, fs->name))
		return false;
	if (!*fs->mkfs)
		return shell("mount -t %s none %s/%s", fs->name, work, fs->name) == 0;
	return shell("cd %s && truncate -s 400M %s.img && %s %s.img && mount -o loop %s.img %s", work, fs->name,
		     fs->mkfs, fs->name, fs->name, fs->name) == 0;
}

/* ---- words for the tests ---- */

static void take_warning(void *arg, const char *message)
{
	strncat(warned, message, sizeof(warned) - strlen(warned) - 1);
}

static int open_as(const char *name, struct storage **ret)
{
	const struct storage_options o = {.home = home, .driver = name, .options = &options, .warn = take_warning};

	return storage_open(&o, ret, &err);
}

static struct storage *open_storage(void)
{
	struct storage *s = NULL;

	assert_ok(open_as(driver, &s));
	assert_string_equal(storage_name(s), driver);
	return s;
}

static void put_file(int dirfd, const char *path, const char *text)
{
	assert_ok(file_write(dirfd, path, text, strlen(text), 0644, &err));
}

static void assert_file(const char *dir, const char *name, const char *want)
{
	auto_free char *path = path_join(dir, name);
	AUTO(buf_clear) struct buf got = BUF_INIT;
	int rc = file_read(AT_FDCWD, path, 4096, &got, &err);

	if (!want) {
		assert_int_equal(rc, -ENOENT);
		return;
	}
	if (rc < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(buf_cstr(&got), want);
}

/* What an unpacker does with ".wh.NAME" and ".wh..wh..opq". */
static void white_out(const struct layer_writer *w, const char *path)
{
	if (layer_writer_whiteouts(w) == LAYER_WHITEOUTS_OVERLAY)
		assert_int_equal(mknodat(layer_writer_fd(w), path, S_IFCHR, makedev(0, 0)), 0);
	else
		assert_ok(path_remove_tree_at(layer_writer_fd(w), path, &err));
}

static void make_opaque(const struct layer_writer *w, const char *path)
{
	int rc = mkdirat(layer_writer_fd(w), path, 0755);
	auto_fd int fd = -1;

	if (layer_writer_whiteouts(w) == LAYER_WHITEOUTS_OVERLAY) {
		assert_int_equal(rc, 0);
		fd = openat(layer_writer_fd(w), path, O_RDONLY | O_DIRECTORY);
		assert_int_equal(fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0), 0);
		return;
	}
	assert_int_equal(shell("rm -rf /proc/%d/fd/%d/%s/*", (int)getpid(), layer_writer_fd(w), path), 0);
}

static struct layer_writer *begin(struct storage *s, const char *parent)
{
	struct layer_writer *w = NULL;

	assert_ok(storage_layer_begin(s, parent, &w, &err));
	return w;
}

/* a: dir/one, dir/two, gone, opaque/old; b on a: no gone, another dir/two, opaque/new alone */
static void make_two_layers(struct storage *s)
{
	struct layer_writer *w = begin(s, NULL);

	assert_int_equal(mkdirat(layer_writer_fd(w), "dir", 0755), 0);
	assert_int_equal(mkdirat(layer_writer_fd(w), "opaque", 0755), 0);
	put_file(layer_writer_fd(w), "dir/one", "1");
	put_file(layer_writer_fd(w), "dir/two", "2");
	put_file(layer_writer_fd(w), "gone", "x");
	put_file(layer_writer_fd(w), "opaque/old", "x");
	assert_ok(storage_layer_commit(s, w, a, NULL, &err));

	w = begin(s, a);
	(void)mkdirat(layer_writer_fd(w), "dir", 0755);	/* is there where layers are whole */
	put_file(layer_writer_fd(w), "dir/two", "two");
	white_out(w, "gone");
	make_opaque(w, "opaque");
	put_file(layer_writer_fd(w), "opaque/new", "n");
	assert_int_equal(fchmod(layer_writer_fd(w), 0751), 0);
	assert_ok(storage_layer_commit(s, w, b, a, &err));
}

static void mount_rootfs(struct storage *s, const char *id, const char *top, char **ret)
{
	assert_ok(storage_rootfs_create(s, id, top, &err));
	assert_ok(storage_rootfs_mount(s, id, NULL, ret, &err));
}

static unsigned int entries(const char *name)
{
	auto_free char *path = xfmt("%s/%s/%s", home, driver, name);
	auto_closedir DIR *dir = opendir(path);
	unsigned int n = 0;
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	return n;
}

/* ---- the contract ---- */

static void a_rootfs_shows_all_layers_below(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	auto_free char *path = NULL, *again = NULL;
	struct stat st;

	make_two_layers(s);
	mount_rootfs(s, "one", b, &path);
	assert_file(path, "dir/one", "1");
	assert_file(path, "dir/two", "two");
	assert_file(path, "gone", NULL);
	assert_file(path, "opaque/old", NULL);
	assert_file(path, "opaque/new", "n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_ok(storage_rootfs_mount(s, "one", NULL, &again, &err));
	assert_string_equal(path, again);
	assert_ok(storage_rootfs_remove(s, "one", &err));
	assert_int_equal(entries("rootfs"), 0);
	assert_int_equal(entries("tmp"), 0);
}

static void containers_do_not_see_each_others_writes(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	auto_free char *one = NULL, *two = NULL;
	auto_fd int fd = -1;
	uint64_t bytes, inodes;

	make_two_layers(s);
	mount_rootfs(s, "one", b, &one);
	mount_rootfs(s, "two", b, &two);
	fd = open(one, O_RDONLY | O_DIRECTORY);
	put_file(fd, "dir/one", "changed");
	put_file(fd, "own", "own");
	assert_int_equal(unlinkat(fd, "dir/two", 0), 0);
	assert_file(two, "dir/one", "1");
	assert_file(two, "dir/two", "two");
	assert_file(two, "own", NULL);
	assert_ok(storage_rootfs_usage(s, "one", &bytes, &inodes, &err));
	assert_true(inodes >= 3);

	/* The layer is as it was, for the next. */
	close(fd_take(&fd));
	assert_ok(storage_rootfs_remove(s, "one", &err));
	free(take(one));
	mount_rootfs(s, "one", b, &one);
	assert_file(one, "dir/one", "1");
	assert_file(one, "own", NULL);
	assert_ok(storage_rootfs_remove(s, "one", &err));
	assert_ok(storage_rootfs_remove(s, "two", &err));
}

static void writes_stay_over_an_unmount_and_a_restart(void **state)
{
	struct storage *s = open_storage();
	auto_free char *path = NULL;
	auto_fd int fd = -1;

	make_two_layers(s);
	mount_rootfs(s, "one", b, &path);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	put_file(fd, "own", "own");
	close(fd_take(&fd));
	assert_ok(storage_rootfs_umount(s, "one", &err));
	assert_ok(storage_rootfs_umount(s, "one", &err));
	storage_close(s);

	s = open_storage();
	assert_true(storage_rootfs_exists(s, "one"));
	assert_true(storage_layer_exists(s, b));
	free(take(path));
	assert_ok(storage_rootfs_mount(s, "one", NULL, &path, &err));
	assert_file(path, "own", "own");
	assert_file(path, "dir/two", "two");
	assert_ok(storage_rootfs_remove(s, "one", &err));
	storage_close(s);
}

static void a_layer_in_use_goes_with_its_last_user(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	auto_free char *path = NULL;

	make_two_layers(s);
	mount_rootfs(s, "one", b, &path);
	assert_ok(storage_layer_remove(s, a, &err));
	assert_ok(storage_layer_remove(s, b, &err));
	assert_int_equal(entries("layers"), 2);
	assert_file(path, "dir/one", "1");
	assert_ok(storage_rootfs_remove(s, "one", &err));
	assert_int_equal(entries("layers"), 0);
	assert_int_equal(entries("tmp"), 0);
	assert_ok(storage_layer_remove(s, b, &err));
}

static void a_pending_removal_is_taken_back_by_a_new_user(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();

	make_two_layers(s);
	assert_ok(storage_layer_remove(s, a, &err));	/* b is above it */
	assert_true(storage_layer_exists(s, a));
	assert_ok(storage_layer_remove(s, b, &err));
	assert_int_equal(entries("layers"), 1);
}

static void the_faster_of_two_writers_wins(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	struct layer_writer *one = begin(s, NULL), *two = begin(s, NULL);

	put_file(layer_writer_fd(one), "f", "one");
	put_file(layer_writer_fd(two), "f", "two");
	assert_ok(storage_layer_commit(s, two, a, NULL, &err));
	assert_ok(storage_layer_commit(s, one, a, NULL, &err));
	assert_int_equal(entries("layers"), 1);
	assert_int_equal(entries("tmp"), 0);
}

static void an_aborted_layer_leaves_nothing(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	struct layer_writer *w = begin(s, NULL);

	put_file(layer_writer_fd(w), "f", "x");
	storage_layer_abort(s, w);
	assert_int_equal(entries("tmp"), 0);
	w = begin(s, NULL);
	assert_refused(storage_layer_commit(s, w, b, a, &err), ERR_NOT_FOUND);
	assert_refused(storage_rootfs_create(s, "one", b, &err), ERR_NOT_FOUND);
	assert_int_equal(entries("tmp"), 0);
	assert_int_equal(entries("layers"), 0);
	assert_int_equal(entries("rootfs"), 0);
}

static void what_a_killed_process_left_is_removed_at_open(void **state)
{
	pid_t pid = fork();
	struct storage *s;
	int status;

	if (pid == 0) {
		s = open_storage();
		put_file(layer_writer_fd(begin(s, NULL)), "f", "x");
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(entries("tmp"), 1);
	s = open_storage();
	assert_int_equal(entries("tmp"), 0);
	storage_close(s);
}

/* Whoever lives may be probing still. */
static void what_a_killed_probe_left_is_removed_at_open(void **state)
{
	struct storage *s;
	pid_t dead = fork();

	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	assert_int_equal(shell("mkdir -p %s/.probe-x-%d/merged %s/.probe-x-1 %s/.probe-x", home, (int)dead, home, home), 0);
	assert_int_equal(shell("mount -t tmpfs none %s/.probe-x-%d/merged && touch %s/.probe-x-%d/merged/file", home, (int)dead, home,
			       (int)dead), 0);
	s = open_storage();
	assert_int_equal(shell("test ! -e %s/.probe-x-%d && test -d %s/.probe-x-1 && test -d %s/.probe-x", home, (int)dead, home, home), 0);
	storage_close(s);
}

static void unsafe_layers_of_an_earlier_boot_are_dropped(void **state)
{
	struct storage *s = open_storage();

	make_two_layers(s);
	assert_ok(storage_sync(s, &err));
	assert_ok(storage_layer_commit(s, begin(s, b), c, b, &err));
	storage_close(s);
	assert_int_equal(shell("sed -i 's/\"boot\":\"[^\"]*\"/\"boot\":\"another\"/' %s/%s/layers/*/layer.json",
			       home, driver), 0);
	s = open_storage();
	assert_true(storage_layer_exists(s, a));
	assert_true(storage_layer_exists(s, b));
	assert_false(storage_layer_exists(s, c));
	storage_close(s);

	/* Without its mark the lowest is not trusted, and takes what is above with it. */
	assert_int_equal(shell("rm %s/%s/layers/0a*/synced", home, driver), 0);
	s = open_storage();
	assert_false(storage_layer_exists(s, a));
	assert_false(storage_layer_exists(s, b));
	assert_int_equal(entries("layers"), 0);
	storage_close(s);
}

static void a_home_has_one_user(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	struct storage *other = NULL;

	assert_refused(open_as(driver, &other), ERR_CONFLICT);
}

static void bad_ids_are_refused(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	struct layer_writer *w = NULL;

	assert_refused(storage_rootfs_create(s, "../x", NULL, &err), ERR_INVALID);
	assert_refused(storage_rootfs_create(s, "one", "sha256:../..", &err), ERR_INVALID);
	assert_refused(storage_layer_begin(s, "x", &w, &err), ERR_INVALID);
	assert_ok(storage_rootfs_create(s, "one", NULL, &err));
	assert_refused(storage_rootfs_create(s, "one", NULL, &err), ERR_CONFLICT);
	assert_ok(storage_rootfs_remove(s, "one", &err));
	assert_ok(storage_rootfs_remove(s, "one", &err));
}

static void unknown_options_are_refused(void **state)
{
	AUTO(strv_clear) struct strv mine = {0};
	struct storage *s = NULL;

	strv_add_all(&mine, &options);
	strv_add(&options, "no.such=option");
	assert_refused(open_as(driver, &s), ERR_INVALID);
	assert_non_null(strstr(err.msg, "no.such"));
	strv_clear(&options);
	strv_add_all(&options, &mine);
	s = open_storage();
	storage_close(s);
}

/* The process that opened the storage is killed; what it mounted stays, and the next one goes on with it. */
static void what_is_mounted_survives_the_daemon(void **state)
{
	struct storage *s = open_storage();
	auto_free char *path = xfmt("%s/%s/rootfs/one", home, driver);
	auto_free char *again = NULL;
	auto_fd int fd = -1;
	struct strmap info = {0};
	int status;
	pid_t pid;

	make_two_layers(s);
	storage_close(s);
	pid = fork();
	if (pid == 0) {
		s = open_storage();
		mount_rootfs(s, "one", b, &again);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	s = open_storage();
	assert_ok(storage_rootfs_info(s, "one", &info, &err));
	fd = open(strmap_get(&info, "MergedDir") ? strmap_get(&info, "MergedDir") : strmap_get(&info, "Dir"), O_RDONLY);
	assert_true(fd >= 0);
	put_file(fd, "late", "late");
	close(fd_take(&fd));
	assert_ok(storage_rootfs_mount(s, "one", NULL, &again, &err));
	assert_file(again, "late", "late");
	assert_file(again, "dir/two", "two");
	assert_ok(storage_rootfs_remove(s, "one", &err));
	assert_int_equal(entries("tmp"), 0);
	strmap_clear(&info);
	storage_close(s);
}

static void files_keep_owner_mode_links_and_devices(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	struct layer_writer *w = begin(s, NULL);
	auto_free char *path = NULL, *file = NULL, *link_ = NULL, *device = NULL, *sym = NULL;
	struct stat st, other;
	char target[8] = "";

	put_file(layer_writer_fd(w), "setuid", "x");
	assert_int_equal(fchownat(layer_writer_fd(w), "setuid", 12, 34, 0), 0);
	assert_int_equal(fchmodat(layer_writer_fd(w), "setuid", 04711, 0), 0);
	assert_int_equal(linkat(layer_writer_fd(w), "setuid", layer_writer_fd(w), "link", 0), 0);
	assert_int_equal(mknodat(layer_writer_fd(w), "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(symlinkat("setuid", layer_writer_fd(w), "sym"), 0);
	assert_ok(storage_layer_commit(s, w, a, NULL, &err));
	mount_rootfs(s, "one", a, &path);
	file = path_join(path, "setuid");
	link_ = path_join(path, "link");
	device = path_join(path, "null");
	sym = path_join(path, "sym");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
	assert_int_equal(st.st_mode & 07777, 04711);
	assert_int_equal(stat(link_, &other), 0);
	assert_int_equal(other.st_size, st.st_size);
	assert_true(readlink(sym, target, sizeof(target) - 1) == 6);
	assert_int_equal(stat(device, &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	assert_int_equal(shell("echo x >%s", device), 0);
	assert_ok(storage_rootfs_remove(s, "one", &err));
}

static void images_may_have_many_layers(void **state)
{
	AUTO(storage_close) struct storage *s = open_storage();
	bool many = strcmp(driver, "overlay") == 0 || strcmp(driver, "fuse") == 0;
	unsigned int count = many ? 300 : 20;
	char chain[80] = "", parent[80];
	auto_free char *path = NULL;

	for (unsigned int i = 0; i < count; i++) {
		struct layer_writer *w;
		char name[32];

		strcpy(parent, chain);
		snprintf(chain, sizeof(chain), "sha256:%064x", i + 1);
		snprintf(name, sizeof(name), "f%u", i);
		w = begin(s, i ? parent : NULL);
		put_file(layer_writer_fd(w), name, name);
		assert_ok(storage_layer_commit(s, w, chain, i ? parent : NULL, &err));
	}
	mount_rootfs(s, "one", chain, &path);
	assert_file(path, "f0", "f0");
	assert_file(path, count == 300 ? "f299" : "f19", count == 300 ? "f299" : "f19");
	assert_ok(storage_rootfs_remove(s, "one", &err));
}

/* ---- the choice ---- */

static void the_best_driver_is_chosen_and_a_named_one_is_not_replaced(void **state)
{
	struct storage *s = NULL;
	struct fit rows[8];
	size_t n;

	snprintf(home, sizeof(home), "%s/ext4/choice", work);
	assert_int_equal(mkdir(home, 0700), 0);
	assert_ok(open_as(NULL, &s));
	assert_string_equal(storage_name(s), "overlay");
	storage_close(s);
	assert_ok(open_as("overlayfs", &s));
	assert_string_equal(storage_name(s), "overlay");
	storage_close(s);
	assert_refused(open_as("btrfs", &s), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "not btrfs"));
	assert_refused(open_as("zfs", &s), ERR_INVALID);
	n = storage_fits(home, rows, ARRAY_SIZE(rows));
	assert_int_equal(n, 7);
	for (size_t i = 0; i < n; i++)
		assert_true(rows[i].name && rows[i].reason[0]);
}

static void a_home_on_overlay_falls_back_and_says_why(void **state)
{
	struct storage *s = NULL;
	struct fit rows[8];

	assert_int_equal(shell("cd %s/ext4 && mkdir lo up wo me && mount -t overlay -o lowerdir=lo,upperdir=up,workdir=wo overlay me",
			       work), 0);
	snprintf(home, sizeof(home), "%s/ext4/me", work);
	assert_ok(open_as(NULL, &s));
	storage_fits(home, rows, ARRAY_SIZE(rows));
	print_message("overlay on overlay: %d: %s\n", rows[0].score, rows[0].reason);
	if (rows[0].score == FIT_NO) {
		assert_string_not_equal(storage_name(s), "overlay");
		assert_non_null(strstr(rows[0].reason, "overlayfs"));
	}
	storage_close(s);
	assert_int_equal(shell("umount %s/ext4/me", work), 0);
}

static void a_home_whose_path_confuses_overlayfs_works(void **state)
{
	auto_free char *path = NULL;
	struct storage *s;

	driver = "overlay";
	snprintf(home, sizeof(home), "%s/ext4/a:b,c\\d", work);
	assert_int_equal(mkdir(home, 0700), 0);
	s = open_storage();
	make_two_layers(s);
	mount_rootfs(s, "one", b, &path);
	assert_file(path, "dir/one", "1");
	assert_ok(storage_rootfs_remove(s, "one", &err));
	storage_close(s);
}

static void a_helper_that_dies_is_told_of_and_replaced(void **state)
{
	struct storage *s = NULL;
	auto_free char *path = NULL, *again = NULL;
	struct strmap info = {0};
	int64_t pid;

	driver = "fuse";
	warned[0] = '\0';
	if (open_as(driver, &s) < 0) {
		print_message("%s\n", err.msg);
		skip();
	}
	make_two_layers(s);
	mount_rootfs(s, "one", b, &path);
	assert_ok(storage_rootfs_info(s, "one", &info, &err));
	assert_ok(str_i64(strmap_get(&info, "HelperPid"), 10, &pid));
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	for (int i = 0; i < 100 && !warned[0]; i++)
		usleep(100000);
	assert_non_null(strstr(warned, "container one: the process of its root file system"));
	assert_non_null(strstr(warned, "SIGKILL"));
	assert_int_not_equal(shell("ls %s/dir", path), 0);
	assert_ok(storage_rootfs_info(s, "one", &info, &err));
	assert_non_null(strstr(strmap_get(&info, "HelperPid"), "ended"));
	assert_ok(storage_rootfs_mount(s, "one", NULL, &again, &err));
	assert_file(again, "dir/two", "two");
	assert_ok(storage_rootfs_remove(s, "one", &err));
	strmap_clear(&info);
	storage_close(s);
}

static int home_up(void **state)
{
	return mkdir(home, 0700);
}

static int home_down(void **state)
{
	/* What a failed test left mounted, and the subvolumes. */
	return shell("for m in $(awk '{print $2}' /proc/mounts | grep '^%s/'); do umount $m; done; rm -rf %s", home, home);
}

#define CONTRACT(f) cmocka_unit_test_setup_teardown(f, home_up, home_down)

struct contract {
	const char *driver;
	const char *options[3];
	const char *about;
};

static const struct contract contracts[] = {
	{"overlay", {NULL}, ""},
	{"aufs", {NULL}, ""},
	{"btrfs", {NULL}, ""},
	{"devmapper-thin", {"dm.basesize=64M", "dm.loopdatasize=64M", "dm.loopmetadatasize=2M"}, ""},
	{"devmapper-snapshot", {"dm.basesize=64M"}, ""},
	{"fuse", {"fuse.helper=fuse-overlayfs"}, " (fuse-overlayfs)"},
	{"fuse", {"fuse.helper=unionfs-fuse"}, " (unionfs-fuse)"},
	{"copy", {NULL}, ""},
};

/* NULL, or why the driver cannot work on @fs. */
static const char *why_not(const struct contract *contract)
{
	static struct fit rows[16];
	size_t n = storage_fits(home, rows, ARRAY_SIZE(rows));
	struct storage *s = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, contract->driver) == 0 && rows[i].score == FIT_NO)
			return rows[i].reason;
	}
	if (open_as(contract->driver, &s) < 0)
		return strstr(err.msg, "not installed") ? err.msg : NULL;	/* anything else is to fail */
	storage_close(s);
	return NULL;
}

static int run_contract(const struct backing *fs, const struct contract *contract)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(a_rootfs_shows_all_layers_below),
		CONTRACT(containers_do_not_see_each_others_writes),
		CONTRACT(writes_stay_over_an_unmount_and_a_restart),
		CONTRACT(a_layer_in_use_goes_with_its_last_user),
		CONTRACT(a_pending_removal_is_taken_back_by_a_new_user),
		CONTRACT(the_faster_of_two_writers_wins),
		CONTRACT(an_aborted_layer_leaves_nothing),
		CONTRACT(what_a_killed_process_left_is_removed_at_open),
		CONTRACT(what_a_killed_probe_left_is_removed_at_open),
		CONTRACT(unsafe_layers_of_an_earlier_boot_are_dropped),
		CONTRACT(a_home_has_one_user),
		CONTRACT(bad_ids_are_refused),
		CONTRACT(unknown_options_are_refused),
		CONTRACT(images_may_have_many_layers),
		CONTRACT(what_is_mounted_survives_the_daemon),
		CONTRACT(files_keep_owner_mode_links_and_devices),
	};
	const char *reason;
	char title[80];

	snprintf(title, sizeof(title), "%s%s on %s", contract->driver, contract->about, fs->name);
	driver = contract->driver;
	strv_clear(&options);
	for (size_t i = 0; i < ARRAY_SIZE(contract->options) && contract->options[i]; i++)
		strv_add(&options, contract->options[i]);
	snprintf(home, sizeof(home), "%s/%s/home", work, fs->name);
	home_up(NULL);
	reason = why_not(contract);
	home_down(NULL);
	if (reason) {
		printf("ok 1 - %s # SKIP %s\n", title, reason);
		return 0;
	}
	print_message("%s\n", title);
	return cmocka_run_group_tests_name(title, tests, NULL, NULL);
}

static int run_choice(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(a_helper_that_dies_is_told_of_and_replaced),
		cmocka_unit_test(the_best_driver_is_chosen_and_a_named_one_is_not_replaced),
		cmocka_unit_test(a_home_on_overlay_falls_back_and_says_why),
		cmocka_unit_test(a_home_whose_path_confuses_overlayfs_works),
	};

	strv_clear(&options);
	snprintf(home, sizeof(home), "%s/ext4/home", work);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_all(void)
{
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		const struct backing *fs = &backings[i];

		if (!backing_up(fs)) {
			printf("ok 1 - %s # SKIP no mkfs for it, or the kernel cannot mount it\n", fs->name);
			continue;
		}
		for (size_t c_ = 0; c_ < ARRAY_SIZE(contracts); c_++)
			failed += run_contract(fs, &contracts[c_]);
		if (strcmp(fs->name, "ext4") == 0)
			failed += run_choice();
	}
	return failed;
}

int main(void)
{
	int failed;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		printf("ok 1 - contract # SKIP mounting needs root\n");
		return 0;
	}
	mount("", "/", "", MS_REC | MS_PRIVATE, "");
	snprintf(work, sizeof(work), "/tmp/pouch-t_storage-%d", (int)getpid());
	if (mkdir(work, 0700) < 0)
		return 1;
	failed = run_all();
	shell("for m in $(awk '{print $2}' /proc/mounts | grep '^%s/' | sort -r); do umount $m; done; rm -rf %s", work, work);
	return failed;
}
