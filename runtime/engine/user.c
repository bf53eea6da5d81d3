/*
 * user - who a container's process runs as, by the image's /etc/passwd and /etc/group.
 */
#include "runtime/engine/user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"

#define FILE_MAX (1 << 20)

/* An absent file is an empty one, and what is no file is none. */
static int read_in(int root, const char *path, struct buf *ret, struct err *err)
{
	auto_fd int fd = -1;
	int rc = path_open_file_in(root, path, &fd, err);

	if (rc == -ENOENT || rc == -ENOTDIR || rc == -ENXIO) {
		err_clear(err);
		return 0;
	}
	return rc < 0 ? rc : buf_read_fd(ret, fd, FILE_MAX, path, err);
}

/* The next line of *text split at colons into at most 7 fields; false at the end. The text is cut up. */
static bool next_line(char **text, char *field[7])
{
	char *line = strsep(text, "\n");

	if (!line)
		return false;
	for (int i = 0; i < 7; i++) {
		char *f = line ? strsep(&line, ":") : NULL;

		field[i] = f ? f : (char *)"";
	}
	return true;
}

static bool number(const char *s, uint32_t *ret)
{
	return *s >= '0' && *s <= '9' && str_u32(s, 10, ret) == 0 && *ret <= INT32_MAX;
}

static int find_user(const char *passwd, const char *user, struct oci_user *ret, char **name, char **home,
		     struct err *err)
{
	auto_free char *copy = xstrdup(passwd);
	char *text = copy, *f[7];
	uint32_t uid = 0, n;
	bool numeric = number(user, &uid);

	while (next_line(&text, f)) {
		if (strcmp(f[0], user) && !(numeric && number(f[2], &n) && n == uid))
			continue;
		if (!number(f[2], &ret->uid) || !number(f[3], &ret->gid))
			continue;
		str_set(name, f[0]);
		str_set(home, *f[5] ? f[5] : NULL);
		return 0;
	}
	if (!numeric)
		return err_set(err, ERR_INVALID, "unable to find user %s: no matching entries in passwd file", user);
	ret->uid = uid;
	ret->gid = 0;
	return 0;
}

static int find_group(const char *groups, const char *group, uint32_t *ret, struct err *err)
{
	auto_free char *copy = xstrdup(groups);
	char *text = copy, *f[7];

	while (next_line(&text, f)) {
		if (!strcmp(f[0], group) && number(f[2], ret))
			return 0;
	}
	if (number(group, ret))
		return 0;
	return err_set(err, ERR_INVALID, "unable to find group %s: no matching entries in group file", group);
}

static void add_gid(struct oci_user *u, uint32_t gid)
{
	for (size_t i = 0; i < u->additional_gids.n; i++) {
		if (u->additional_gids.v[i] == gid)
			return;
	}
	if (u->additional_gids.n < 65536)
		VEC_PUSH(&u->additional_gids, gid);
}

/* Every group that lists @name. */
static void member_groups(const char *groups, const char *name, struct oci_user *u)
{
	auto_free char *copy = xstrdup(groups);
	char *text = copy, *f[7];

	while (next_line(&text, f)) {
		uint32_t gid;
		char *member, *members = f[3];

		while ((member = strsep(&members, ","))) {
			if (!strcmp(member, name) && number(f[2], &gid))
				add_gid(u, gid);
		}
	}
}

int user_resolve(const char *rootfs, const char *user, const struct strv *groups, struct oci_user *ret,
		 char **ret_home, struct err *err)
{
	AUTO(buf_clear) struct buf passwd = BUF_INIT, group = BUF_INIT;
	auto_free char *who = xstrdup(str_empty(user) ? "0" : user);
	auto_free char *name = NULL, *home = NULL;
	char *colon = strchr(who, ':');
	auto_fd int root = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (root < 0)
		return err_sys(err, errno, "open root file system '%s'", rootfs);
	rc = read_in(root, "/etc/passwd", &passwd, err);
	if (rc >= 0)
		rc = read_in(root, "/etc/group", &group, err);
	if (rc < 0)
		return rc;

	if (colon)
		*colon++ = 0;
	rc = find_user(buf_cstr(&passwd), *who ? who : "0", ret, &name, &home, err);
	if (rc >= 0 && colon && *colon)
		rc = find_group(buf_cstr(&group), colon, &ret->gid, err);
	else if (rc >= 0 && name)
		member_groups(buf_cstr(&group), name, ret);
	for (size_t i = 0; rc >= 0 && groups && i < groups->n; i++) {
		uint32_t gid;

		rc = find_group(buf_cstr(&group), groups->v[i], &gid, err);
		if (rc >= 0)
			add_gid(ret, gid);
	}
	if (rc >= 0 && ret_home)
		*ret_home = take(home);
	return rc;
}
