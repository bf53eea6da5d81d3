/*
 * t_mount.c - option words, mountinfo, and mounts by fd in both of the kernel's ways
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/mountinfo.h"
#include "compat/kernel/ns.h"
#include "compat/kernel/rootswitch.h"

static void parse(const char *list, struct mount_options *ret)
{
	AUTO(strv_clear) struct strv words = {0};

	strv_split(&words, list, ",", false);
	mount_options_parse(&words, ret);
}

static void words_become_flags_and_the_rest_data(void **state)
{
	AUTO(mount_options_clear) struct mount_options o = {0};

	parse("nosuid,strictatime,mode=755,size=65536k,ro", &o);
	assert_int_equal(o.flags, MS_NOSUID | MS_STRICTATIME | MS_RDONLY);
	assert_string_equal(o.data, "mode=755,size=65536k");
	assert_false(o.bind);
}

/* What is done in a group of version 1 that may touch no device: the child says, and is in no group of ours before. */
static int where_devices_are_denied(const char *group, int (*what)(void))
{
	char path[4096 + 32], pid[16];
	int status = -1;
	pid_t child;

	(void)str_fmt(path, sizeof(path), "%s/devices.deny", group);
	assert_int_equal(file_put(AT_FDCWD, path, "a", NULL), 0);
	(void)str_fmt(path, sizeof(path), "%s/tasks", group);
	child = fork();
	if (child == 0) {
		(void)str_fmt(pid, sizeof(pid), "%d", (int)getpid());
		_exit(file_put(AT_FDCWD, path, pid, NULL) ? 99 : what());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static int own_devpts(void)
{
	return mount_has_own_devpts();
}

/* A container's first process asks while its parent writes the group's rules: "deny all" is the first of them. */
static void device_rules_do_not_hide_devpts(void **state)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	bool before = mount_has_own_devpts();
	char group[4096] = "";
	int got;

	assert_int_equal(mountinfo_read(NULL, &info, NULL), 0);
	VEC_EACH(e, &info.entries)
		if (str_eq(e->fstype, "cgroup") && mount_option_has(e->super_options, "devices"))
			(void)str_fmt(group, sizeof(group), "%s/pouch-t-mount-%d", e->target, (int)getpid());
	if (!*group || mkdir(group, 0755) < 0) {
		print_message("no devices hierarchy of version 1 to make a group in\n");
		skip();
	}
	got = where_devices_are_denied(group, own_devpts);
	for (int i = 0; i < 100 && rmdir(group) < 0; i++)
		usleep(10000);
	assert_int_equal(got, before);
}

static void the_last_of_two_opposite_words_wins(void **state)
{
	AUTO(mount_options_clear) struct mount_options o = {0};

	parse("ro,rw,nosuid,suid,nosuid,rro,rrw", &o);
	assert_int_equal(o.flags, MS_NOSUID);
	assert_int_equal(o.clear, MS_RDONLY);
	assert_int_equal(o.rec_set, 0);
	assert_int_equal(o.rec_clear, MS_RDONLY);
}

static void words_of_bind_mounts_are_known(void **state)
{
	AUTO(mount_options_clear) struct mount_options o = {0};

	parse("rbind,rslave,rro,tmpcopyup,ridmap,defaults,_netdev", &o);
	assert_true(o.bind && o.recursive && o.copy_up && o.idmap);
	assert_int_equal(o.propagation, MS_SLAVE | MS_REC);
	assert_int_equal(o.rec_set, MS_RDONLY);
	assert_null(o.data);
}

/* The lookup is a binary search. */
static void every_listed_word_is_found(void **state)
{
	for (const char *const *w = mount_option_words(); *w; w++) {
		AUTO(mount_options_clear) struct mount_options o = {0};

		parse(*w, &o);
		assert_null(o.data);
		if (w[1])
			assert_true(strcmp(w[0], w[1]) < 0);
	}
}

static void propagation_words_are_checked(void **state)
{
	unsigned long flags = 1;

	assert_int_equal(mount_propagation_parse(NULL, &flags), 0);
	assert_int_equal(flags, 0);
	assert_int_equal(mount_propagation_parse("rshared", &flags), 0);
	assert_int_equal(flags, MS_SHARED | MS_REC);
	assert_int_equal(mount_propagation_parse("ro", &flags), -EINVAL);
	assert_int_equal(mount_propagation_parse("nonsense", &flags), -EINVAL);
}

/* ---- mountinfo */

static const char sample[] =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"27 1 254:0 / / rw,relatime shared:5 - ext4 /dev/vda rw,discard\n"
	"28 27 0:25 /sub /mnt/a\\040b ro,nosuid master:5 - tmpfs none ro,size=4k\n"
	"29 27 0:26 / /mnt/a\\040b rw unbindable - tmpfs  rw\n";

static void lines_are_split_and_unescaped(void **state)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	struct err err = ERR_INIT;
	const struct mount_entry *e;

	assert_ok(mountinfo_parse(sample, strlen(sample), &info, &err));
	assert_int_equal(info.entries.n, 4);
	e = &info.entries.v[2];
	assert_string_equal(e->target, "/mnt/a b");
	assert_string_equal(e->root, "/sub");
	assert_int_equal(e->master, 5);
	assert_int_equal(e->minor, 25);
	assert_string_equal(e->super_options, "ro,size=4k");
	assert_true(mount_option_has(e->options, "nosuid"));
	assert_false(mount_option_has(e->options, "suid"));
	assert_int_equal(info.entries.v[1].shared, 5);
	assert_true(info.entries.v[3].unbindable);
	assert_string_equal(info.entries.v[3].source, "");
}

static void the_mount_of_a_path_is_the_uppermost(void **state)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	struct err err = ERR_INIT;

	assert_ok(mountinfo_parse(sample, strlen(sample), &info, &err));
	assert_int_equal(mountinfo_find(&info, "/mnt/a b/x")->id, 29);
	assert_int_equal(mountinfo_find(&info, "/mnt/a bc")->id, 27);
	assert_int_equal(mountinfo_find(&info, "/proc")->id, 22);
	assert_int_equal(mountinfo_at(&info, "/mnt/a b")->id, 29);
	assert_null(mountinfo_at(&info, "/mnt"));
}

static void malformed_lines_are_refused(void **state)
{
	static const char *const bad[] = {
		"x 27 0:21 / /proc rw - proc proc rw\n", "1 2 3 / /proc rw - proc proc rw\n",	"1 2 0:1 / /proc\n",
		"1 2 0:1 / proc rw - proc proc rw\n",	 "1 2 0:1 / /proc rw proc proc rw\n",	"1 2 0:1 / /proc rw -\n",
		"1 2 0:1 / /proc rw shared:x - a b c\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(mountinfo_clear) struct mountinfo info = {0};
		struct err err = ERR_INIT;

		assert_refused(mountinfo_parse(bad[i], strlen(bad[i]), &info, &err), ERR_INVALID);
	}
}

static void our_own_mountinfo_is_read(void **state)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	struct err err = ERR_INIT;

	assert_ok(mountinfo_read(NULL, &info, &err));
	assert_non_null(mountinfo_find(&info, "/proc/self"));
}

/* ---- real mounts, in a child with a mount namespace of its own */

#define REFUSE(condition)                                                                          \
	do {                                                                                       \
		if (condition) {                                                                   \
			dprintf(2, "# %s:%d: %s: %s\n", __FILE__, __LINE__, #condition, err.msg);  \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void in_child(void (*work)(int root_fd, const char *root))
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	pid = fork();
	if (pid == 0) {
		char root[] = "/tmp/pouch-t-mount.XXXXXX";
		struct err err = ERR_INIT;
		int fd;

		REFUSE(unshare(CLONE_NEWNS) < 0);
		REFUSE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0);
		REFUSE(!mkdtemp(root));
		REFUSE(mount("t", root, "tmpfs", 0, NULL) < 0);
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		work(fd, root);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)!system("rmdir /tmp/pouch-t-mount.* 2>/dev/null");
}

static unsigned long flags_of(int dir, const char *name)
{
	struct statvfs st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstatvfs(fd, &st) < 0)
		_exit(2);
	close(fd);
	return st.f_flag;
}

static void bind_work(int root, const char *path)
{
	struct mount_options o = {.bind = true, .recursive = true, .flags = MS_RDONLY | MS_NOSUID, .clear = 0};
	struct mount_place place = {root, "/to", -1};
	struct err err = ERR_INIT;
	char source[200];
	int fd = -1;

	REFUSE(mkdirat(root, "from", 0755) || mkdirat(root, "to", 0755) || mkdirat(root, "from/sub", 0755));
	snprintf(source, sizeof(source), "%s/from", path);
	REFUSE(mount("x", source, "tmpfs", MS_NODEV, NULL) < 0);
	REFUSE(mkdirat(root, "from/sub", 0755));
	snprintf(source, sizeof(source), "%s/from/sub", path);
	REFUSE(mount("x", source, "tmpfs", 0, NULL) < 0);
	snprintf(source, sizeof(source), "%s/from", path);
	place.fd = openat(root, "to", mount_path_flags() | O_CLOEXEC);
	REFUSE(mount_bind_at(source, &place, &o, &fd, &err));
	/* Asked for: ro, nosuid; kept from the source: nodev. What is below stays as it was. */
	REFUSE((flags_of(root, "to") & (ST_RDONLY | ST_NOSUID | ST_NODEV)) != (ST_RDONLY | ST_NOSUID | ST_NODEV));
	REFUSE(flags_of(root, "to/sub") & ST_RDONLY);
	REFUSE(flags_of(root, "from") & ST_RDONLY);
	REFUSE(mount_reflag(fd, "/to", MS_RDONLY, 0, true, &err));
	REFUSE(!(flags_of(root, "to/sub") & ST_RDONLY));
	REFUSE(mount_reflag(fd, "/to", 0, MS_RDONLY, false, &err));
	REFUSE(flags_of(root, "to") & ST_RDONLY);
	REFUSE(!(flags_of(root, "to") & ST_NOSUID));
	REFUSE(mount_propagate(fd, "/to", MS_SHARED, &err));
}

static void classic_work(int root, const char *path)
{
	hide_add("mount_setattr,o_path");
	bind_work(root, path);
}

static void binds_get_their_flags_and_keep_the_sources(void **state)
{
	in_child(bind_work);
}

static void the_classic_way_does_the_same(void **state)
{
	in_child(classic_work);
}

static void new_work(int root, const char *path)
{
	struct mount_options o = {.flags = MS_NOEXEC, .propagation = MS_PRIVATE};
	struct mount_place place = {root, "/new", -1};
	struct err err = ERR_INIT;
	int fd = -1;

	REFUSE(mkdirat(root, "new", 0755));
	place.fd = openat(root, "new", mount_path_flags() | O_CLOEXEC);
	REFUSE(mount_new_at("tmpfs", &place, "tmpfs", &o, "size=1m,mode=700", &fd, &err));
	REFUSE(!(flags_of(root, "new") & ST_NOEXEC));
	close(place.fd);
	place.fd = openat(root, "new", mount_path_flags() | O_CLOEXEC);
	REFUSE(mount_new_at("tmpfs", &place, "tmpfs", &o, "nonsense=1", NULL, &err) != -EINVAL);
	REFUSE(!strstr(err.msg, "/new"));
}

static void new_mounts_say_what_failed(void **state)
{
	in_child(new_work);
}

/* On 2.6.32 the machine has one sysfs, and read-only once was read-only everywhere. */
static void once_work(int root, const char *path)
{
	struct mount_options o = {.flags = MS_RDONLY | MS_NOEXEC};
	struct mount_place place = {root, "/again", -1};
	struct err err = ERR_INIT;
	char first[200];

	snprintf(first, sizeof(first), "%s/first", path);
	REFUSE(mkdirat(root, "first", 0755) || mkdirat(root, "again", 0755));
	REFUSE(mount("sysfs", first, "sysfs", 0, NULL) < 0);
	place.fd = openat(root, "again", mount_path_flags() | O_CLOEXEC);
	REFUSE(mount_new_at("sysfs", &place, "sysfs", &o, NULL, NULL, &err));
	REFUSE((flags_of(root, "again") & (ST_RDONLY | ST_NOEXEC)) != (ST_RDONLY | ST_NOEXEC));
	REFUSE(flags_of(root, "first") & (ST_RDONLY | ST_NOEXEC));
	close(place.fd);
}

static void once_classic_work(int root, const char *path)
{
	hide_add("mount_setattr,o_path");
	once_work(root, path);
}

static void what_exists_once_is_read_only_for_one_mount(void **state)
{
	in_child(once_work);
	in_child(once_classic_work);
}

static void switch_with(int root, bool no_pivot)
{
	const struct rootswitch *way = NULL;
	struct err err = ERR_INIT;
	struct stat st;
	char path[100], old[200];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", root);
	n = readlink(path, old, sizeof(old) - 1);
	REFUSE(n < 0);
	old[n] = '\0';
	REFUSE(mkdirat(root, "marker", 0755));
	REFUSE(rootswitch_pick(no_pivot, false, &way, &err));
	REFUSE(no_pivot != str_eq(way->name, "move"));
	REFUSE(way->enter(root, old, &err));
	REFUSE(stat("/marker", &st) < 0);
	REFUSE(stat("/proc/self", &st) == 0);
	/* The usual way out of a chroot leads nowhere. */
	REFUSE(mkdir("/x", 0755) < 0 || chroot("/x") < 0);
	for (int i = 0; i < 20; i++)
		REFUSE(chdir("..") < 0);
	REFUSE(chroot(".") < 0);
	REFUSE(stat("/etc/passwd", &st) == 0);
}

static void pivot_work(int root, const char *path)
{
	switch_with(root, false);
}

static void move_work(int root, const char *path)
{
	switch_with(root, true);
}

static void the_root_is_switched_and_cannot_be_left(void **state)
{
	in_child(pivot_work);
}

static void moving_the_root_does_the_same(void **state)
{
	in_child(move_work);
}

/* ---- namespaces */

static void namespaces_are_known_by_both_names(void **state)
{
	assert_int_equal(ns_parse("network"), NS_NET);
	assert_int_equal(ns_parse("net"), NS_NET);
	assert_int_equal(ns_parse("mount"), NS_MNT);
	assert_int_equal(ns_parse("nope"), -EINVAL);
	assert_true(ns_exists(NS_MNT));
}

static void ones_own_namespaces_need_no_joining(void **state)
{
	AUTO(ns_set_close) struct ns_set set = NS_SET_INIT;
	struct err err = ERR_INIT;

	assert_ok(ns_set_open(getpid(), &set, &err));
	for (int i = 0; i < NS_COUNT; i++)
		assert_int_equal(set.fds[i], -1);
	assert_refused(ns_set_add(&set, NS_NET, "/proc/self/ns/uts", &err), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_flags_and_the_rest_data),
		cmocka_unit_test(the_last_of_two_opposite_words_wins),
		cmocka_unit_test(words_of_bind_mounts_are_known),
		cmocka_unit_test(every_listed_word_is_found),
		cmocka_unit_test(propagation_words_are_checked),
		cmocka_unit_test(lines_are_split_and_unescaped),
		cmocka_unit_test(the_mount_of_a_path_is_the_uppermost),
		cmocka_unit_test(malformed_lines_are_refused),
		cmocka_unit_test(our_own_mountinfo_is_read),
		cmocka_unit_test(binds_get_their_flags_and_keep_the_sources),
		cmocka_unit_test(the_classic_way_does_the_same),
		cmocka_unit_test(new_mounts_say_what_failed),
		cmocka_unit_test(what_exists_once_is_read_only_for_one_mount),
		cmocka_unit_test(the_root_is_switched_and_cannot_be_left),
		cmocka_unit_test(moving_the_root_does_the_same),
		cmocka_unit_test(device_rules_do_not_hide_devpts),
		cmocka_unit_test(namespaces_are_known_by_both_names),
		cmocka_unit_test(ones_own_namespaces_need_no_joining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
