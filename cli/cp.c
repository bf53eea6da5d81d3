/*
 * cp.c - files between containers and the host: cp
 *
 * Which name what gets, for which kinds of source and destination, is docker's rule:
 *
 *	destination is a directory	the source goes into it under its own name; of "DIR/." only the content
 *	destination is something else	a file takes its place, a directory is an error
 *	destination does not exist	its parent must, and the source gets its name; a file not where the name ends in "/"
 *
 * Tar streams go over the wire. What comes from a container is unpacked below the destination only, whatever it says.
 */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "compat/base/archive.h"
#include "compat/base/charset.h"
#include "compat/base/fd.h"
#include "compat/base/pack.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/untar.h"
#include "runtime/api/archive.h"

enum { COPY_CHUNK = 256 << 10, LINKS_MAX = 10 };

struct cp_command {
	bool archive, follow;
};

struct copy {
	struct cli *cli;
	const struct cp_command *o;
	const char *container;
	const char *source, *destination;
};

/* ---- names ----------------------------------------------------------------------------------------------------------------------- */

static bool ends_in_slash(const char *path)
{
	return str_ends(path, "/");
}

static bool ends_in_dot(const char *path)
{
	return str_eq(path, ".") || str_ends(path, "/.");
}

/* Absolute and clean, but for a last "/" or "/.", which say something. Owned. */
static char *absolute(const char *path, const char *cwd)
{
	auto_free char *joined = *path == '/' ? xstrdup(path) : path_join(cwd, path);
	auto_free char *clean = path_clean(joined);

	if (str_eq(clean, "/"))
		return take(clean);
	if (ends_in_dot(path))
		return xfmt("%s/.", clean);
	return ends_in_slash(path) ? xfmt("%s/", clean) : take(clean);
}

/* What the top of an archive of @path is called: "a", "." for "a/.", "/" for the root. Owned. */
static char *top_name(const char *path)
{
	auto_free char *clean = path_clean(path);

	if (ends_in_dot(path))
		return xstrdup(".");
	return str_eq(clean, "/") ? xstrdup("/") : xstrdup(path_base(clean));
}

/* The directory that @path is in, and its last name. */
static void split(const char *path, char **ret_dir, char **ret_name)
{
	auto_free char *clean = path_clean(path);
	const char *name = path_base(clean);

	*ret_dir = name == clean ? xstrdup(".") : name == clean + 1 ? xstrdup("/") : xstrndup(clean, (size_t)(name - clean - 1));
	*ret_name = xstrdup(name);
}

/* Where something is to go. */
struct destination {
	char *path;
	bool exists, is_dir;
};

/*
 * @top		what the source is called
 * @ret_dir	owned: the directory to unpack in
 * @ret_name	owned: what the source is called there
 */
static int place(const struct destination *to, bool source_is_dir, const char *top, char **ret_dir, char **ret_name, struct err *err)
{
	if (to->exists && to->is_dir) {
		*ret_dir = xstrdup(to->path);
		*ret_name = xstrdup(top);
		return 0;
	}
	if (to->exists && source_is_dir)
		return err_set(err, ERR_INVALID, "cannot copy directory to '%s', which is no directory", to->path);
	if (!to->exists && !source_is_dir && ends_in_slash(to->path))
		return err_set(err, ERR_INVALID, "no such directory: '%s'", to->path);
	split(to->path, ret_dir, ret_name);
	return 0;
}

/* ---- asking the daemon ----------------------------------------------------------------------------------------------------------- */

static char *archive_path(const struct copy *c, const char *path)
{
	auto_free char *container = cli_escape(c->container);
	AUTO(buf_clear) struct buf text = BUF_INIT;

	buf_fmt(&text, "/containers/%s/archive", container);
	cli_query(&text, "path", path);
	return buf_take(&text);
}

static int parse_stat(const char *header, struct api_path_stat *ret, struct err *err)
{
	size_t len = header ? strlen(header) : 0;
	auto_free char *json = xcalloc(1, len + 4);
	int n = len && len % 4 == 0 ? EVP_DecodeBlock((unsigned char *)json, (const unsigned char *)header, (int)len) : -1;

	if (n < 0)
		return err_set(err, ERR_INTERNAL, "pouchd does not say what is at the path");
	/* The padding was decoded, too. */
	return json_parse(&api_path_stat_table, json, strlen(json), 0, "path of the container", ret, err);
}

/* The request without a body, and the head of its answer. */
static int open_answer(const struct copy *c, const struct http_request *request, struct http **ret, struct http_answer *answer, struct err *err)
{
	int rc = cli_http(c->cli, ret, err);

	if (rc == 0)
		rc = http_send(*ret, request, err);
	return rc < 0 ? rc : http_receive(*ret, answer, err);
}

/* ERR_NOT_FOUND: there is nothing; the container may be missing as well. */
static int ask(const struct copy *c, const char *path, struct api_path_stat *ret, struct err *err)
{
	auto_free char *route = archive_path(c, path);
	const struct http_request request = {.method = "HEAD", .path = route, .want_header = API_PATH_STAT_HEADER};
	struct http_answer answer;
	struct http *http;
	int rc = open_answer(c, &request, &http, &answer, err);

	if (rc < 0)
		return rc;
	/* No body comes with it to say more. */
	if (answer.status >= 400)
		return err_set(err, err_kind_from_status(answer.status), "'%s' cannot be inspected", path);
	return parse_stat(answer.header, ret, err);
}

/* ---- out of a container ---------------------------------------------------------------------------------------------------------- */

/* The body of an answer as libarchive reads it. */
struct stream {
	struct http *http;
	char *chunk;
	struct err err;
};

static la_ssize_t stream_read(struct archive *a, void *arg, const void **ret)
{
	struct stream *s = arg;
	ssize_t n = http_read(s->http, s->chunk, COPY_CHUNK, &s->err);

	*ret = s->chunk;
	if (n < 0)
		archive_set_error(a, (int)-n, "%s", s->err.msg);
	return n < 0 ? -1 : n;
}

/* @top/a -> @name/a. Owned; NULL when it does not start with @top. */
static char *renamed(const char *path, const char *top, const char *name)
{
	const char *rest;

	if (str_eq(top, "/"))
		rest = *path == '/' ? path + 1 : NULL;
	else
		rest = str_skip(path, top);
	if (!rest || (!str_eq(top, "/") && *rest && *rest != '/'))
		return NULL;
	rest += strspn(rest, "/");
	if (str_eq(name, "/"))
		name = ".";
	return *rest ? xfmt("%s/%s", name, rest) : xstrdup(name);
}

static int rename_entry(struct archive_entry *entry, const char *top, const char *name, struct err *err)
{
	const char *path = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	auto_free char *new_path = path ? renamed(path, top, name) : NULL;
	auto_free char *new_link = link ? renamed(link, top, name) : NULL;

	if (!new_path || (link && !new_link))
		return err_set(err, ERR_INVALID, "pouchd sent '%.200s', which was not asked for", path ? path : "");
	archive_entry_copy_pathname(entry, new_path);
	if (link)
		archive_entry_copy_hardlink(entry, new_link);
	return 0;
}

/* Who is not root cannot make devices: the rest is copied all the same. */
static bool is_impossible(struct archive_entry *entry)
{
	mode_t kind = archive_entry_filetype(entry);
	AUTO(buf_clear) struct buf text = BUF_INIT;

	if (geteuid() == 0 || archive_entry_hardlink(entry) || (kind != AE_IFCHR && kind != AE_IFBLK))
		return false;
	buf_fmt(&text, "device %s is left out: only root can make it", archive_entry_pathname(entry));
	cli_warn(buf_cstr(&text));
	return true;
}

static int unpack_entries(struct archive *a, struct untar *u, const char *top, const char *name, struct err *err)
{
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		rc = rename_entry(entry, top, name, err);
		if (rc == 0 && is_impossible(entry))
			continue;
		if (rc == 0)
			rc = untar_put(u, a, entry, err);
		if (rc < 0)
			return err_wrap(err, rc, "'%.200s'", archive_entry_pathname(entry));
	}
	if (rc != ARCHIVE_EOF)
		return err_set(err, ERR_INVALID, "pouchd's archive broke off: %s", archive_error_string(a));
	return untar_finish(u, err);
}

static int unpack(struct http *http, const char *dir, const char *top, const char *name, bool keep_owner, struct err *err)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(archive_read_free) struct archive *a = archive_read_new();
	const struct untar_options options = {
		.rootfd = fd,
		.bytes_max = INT64_MAX,
		.owner = keep_owner && geteuid() == 0 ? UNTAR_OWNER_OF_ENTRY : UNTAR_OWNER_CREATOR,
		.shared = true,
		.keep_top = true,
		.keep_kinds = true,
	};
	struct stream stream = {.http = http};
	struct charset charset;
	struct untar *u;
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", dir);
	if (!a)
		abort();
	umask(0);	/* modes are the archive's */
	u = untar_new(&options);
	stream.chunk = xcalloc(1, COPY_CHUNK);
	archive_read_support_format_tar(a);
	archive_read_support_format_empty(a);
	charset_utf8(&charset);
	if (archive_read_open(a, &stream, NULL, stream_read, NULL) == ARCHIVE_OK)
		rc = unpack_entries(a, u, top, name, err);
	else
		rc = err_set(err, ERR_INVALID, "pouchd's archive broke off: %s", archive_error_string(a));
	charset_restore(&charset);
	untar_free(u);
	free(stream.chunk);
	return rc;
}

static int copy_raw(struct http *http, struct err *err)
{
	auto_free char *chunk = xcalloc(1, COPY_CHUNK);

	for (;;) {
		ssize_t n = http_read(http, chunk, COPY_CHUNK, err);
		int rc = n > 0 ? cli_print(chunk, (size_t)n, err) : 0;

		if (n <= 0 || rc < 0)
			return n < 0 ? (int)n : rc;
	}
}

/* Links are followed, to a target that need not exist, but its directory must. */
static int local_destination(const char *path, struct destination *ret, struct err *err)
{
	auto_free char *at = xstrdup(path);
	struct stat st;

	for (int i = 0; lstat(at, &st) == 0; i++) {
		auto_free char *dir = NULL, *name = NULL;
		char target[PATH_MAX];
		ssize_t n;

		if (!S_ISLNK(st.st_mode)) {
			*ret = (struct destination){take(at), true, S_ISDIR(st.st_mode)};
			return 0;
		}
		if (i == LINKS_MAX)
			return err_sys(err, ELOOP, "follow '%s'", path);
		n = readlink(at, target, sizeof(target) - 1);
		if (n < 0)
			return err_sys(err, errno, "read link '%s'", at);
		target[n] = '\0';
		split(at, &dir, &name);
		free(at);
		at = *target == '/' ? xstrdup(target) : path_join(dir, target);
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return err_sys(err, errno, "inspect '%s'", at);
	{
		auto_free char *dir = NULL, *name = NULL;

		split(at, &dir, &name);
		if (stat(dir, &st) < 0)
			return err_sys(err, errno, "the directory of '%s'", path);
		if (!S_ISDIR(st.st_mode))
			return err_sys(err, ENOTDIR, "the directory of '%s'", path);
	}
	*ret = (struct destination){.path = take(at)};
	return 0;
}

/* With -L: what a link at the end of the path means. *ret_name is what the user calls it. */
static int follow_source(const struct copy *c, char **path, char **ret_name, struct err *err)
{
	struct api_path_stat st = {0};
	auto_free char *target = NULL;
	int rc = ask(c, *path, &st, err);

	if (rc == 0 && st.mode & API_MODE_LINK && !str_empty(st.link_target)) {
		*ret_name = top_name(*path);
		str_set(path, st.link_target);
	}
	json_clear(&api_path_stat_table, &st);
	return rc;
}

static int receive(const struct copy *c, const char *path, const char *name, struct http *http, struct http_answer *answer,
		   struct err *err)
{
	AUTO(buf_clear) struct buf ignored = BUF_INIT;
	struct api_path_stat st = {0};
	struct destination to = {0};
	auto_free char *dir = NULL, *final = NULL;
	int rc;

	if (answer->status >= 400)
		return cli_finish(http, answer->status, NULL, err);
	if (str_eq(c->destination, "-"))
		return copy_raw(http, err);
	rc = parse_stat(answer->header, &st, err);
	if (rc == 0)
		rc = local_destination(c->destination, &to, err);
	if (rc == 0)
		rc = place(&to, st.mode & API_MODE_DIR, name ? name : st.name, &dir, &final, err);
	if (rc == 0)
		rc = unpack(http, dir, st.name, final, c->o->archive, err);
	if (rc == 0)
		rc = http_read_all(http, COPY_CHUNK, &ignored, err);
	free(to.path);
	json_clear(&api_path_stat_table, &st);
	return rc;
}

static int copy_out(const struct copy *c, struct err *err)
{
	auto_free char *path = xstrdup(c->source), *name = NULL, *route = NULL;
	struct http_request request = {.method = "GET", .want_header = API_PATH_STAT_HEADER};
	struct http_answer answer;
	struct http *http = NULL;
	int rc = 0;

	if (str_eq(c->destination, "-") && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID, "an archive is not written to a terminal: redirect standard output");
	if (c->o->follow) {
		rc = follow_source(c, &path, &name, err);
		/* The request itself knows better what is wrong. */
		if (rc < 0 && err->kind != ERR_UNAVAILABLE)
			rc = 0;
	}
	route = archive_path(c, path);
	request.path = route;
	if (rc == 0)
		rc = open_answer(c, &request, &http, &answer, err);
	if (rc)
		return rc;
	rc = receive(c, path, name, http, &answer, err);
	if (rc < 0)
		http_close(cli_take_http(c->cli));	/* the rest of the answer was not read */
	return rc;
}

/* ---- into a container ------------------------------------------------------------------------------------------------------------ */

static int remote_destination(const struct copy *c, struct destination *ret, struct err *err)
{
	auto_free char *path = absolute(c->destination, "/");
	struct api_path_stat st = {0};
	int rc = ask(c, path, &st, err);
	bool is_file;

	if (rc == 0 && st.mode & API_MODE_LINK && !str_empty(st.link_target)) {
		str_set(&path, st.link_target);
		json_clear(&api_path_stat_table, &st);
		rc = ask(c, path, &st, err);
	}
	is_file = !(st.mode & (API_MODE_DIR | API_MODE_DEVICE | API_MODE_FIFO | API_MODE_SOCKET));
	ret->exists = rc == 0;
	ret->is_dir = st.mode & API_MODE_DIR;
	ret->path = take(path);
	json_clear(&api_path_stat_table, &st);
	/* Whatever does not exist may be made; what cannot be made is said when it is tried. */
	if (rc < 0)
		return err->kind == ERR_UNAVAILABLE || err->kind == ERR_FORBIDDEN ? rc : 0;
	if (!ret->is_dir && !is_file)
		return err_set(err, ERR_INVALID, "destination '%s:%s' must be a directory or a regular file", c->container, c->destination);
	return 0;
}

/* What is to be sent. */
struct source {
	int dirfd;
	char *entry;	/* NULL: the directory itself */
	char *top;
	bool is_dir;
};

static void source_clear(struct source *s)
{
	if (s->dirfd >= 0)
		close(s->dirfd);
	free(s->entry);
	free(s->top);
}
DEFINE_AUTO_CLEAR(source_clear, struct source)

static int local_source(const struct copy *c, struct source *ret, struct err *err)
{
	char cwd[PATH_MAX], real[PATH_MAX];
	auto_free char *path = NULL, *dir = NULL;
	struct stat st;

	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(err, errno, "find the current directory");
	path = absolute(c->source, cwd);
	ret->top = top_name(path);
	if (c->o->follow && !ends_in_slash(path) && !ends_in_dot(path)) {
		if (!realpath(path, real))
			return err_sys(err, errno, "follow '%s'", c->source);
		str_set(&path, real);
	}
	if (ends_in_slash(path) || ends_in_dot(path)) {
		ret->is_dir = true;
		ret->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return ret->dirfd < 0 ? err_sys(err, errno, "open '%s'", c->source) : 0;
	}
	split(path, &dir, &ret->entry);
	ret->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dirfd < 0 || fstatat(ret->dirfd, ret->entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "open '%s'", c->source);
	ret->is_dir = S_ISDIR(st.st_mode);
	return 0;
}

struct upload {
	struct http *http;
	struct err *err;
	bool refused;	/* pouchd has closed: its answer says why */
};

static int upload_write(void *arg, const void *data, size_t len)
{
	struct upload *u = arg;
	int rc = len ? http_write_chunk(u->http, data, len, u->err) : 0;

	u->refused = rc == -EPIPE || rc == -ECONNRESET;
	return rc;
}

static int send_source(struct upload *u, const struct source *s, const char *name, bool keep_owner, struct err *err)
{
	const struct pack_options options = {
		.name = name,
		.owner_given = !keep_owner,	/* files in a container are root's, unless they shall be who's they are here */
		.write = upload_write,
		.arg = u,
	};

	return pack(s->dirfd, s->entry, &options, err);
}

static int send_stdin(struct upload *u, struct err *err)
{
	auto_free char *chunk = xcalloc(1, COPY_CHUNK);
	int rc = 0;

	while (rc == 0) {
		ssize_t n = read(STDIN_FILENO, chunk, COPY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read standard input");
		if (!n)
			return 0;
		rc = upload_write(u, chunk, (size_t)n);
	}
	return rc;
}

/* @source NULL: an archive from standard input */
static int upload(const struct copy *c, const struct source *source, const char *dir, const char *name, struct err *err)
{
	auto_free char *base = archive_path(c, dir);
	AUTO(buf_clear) struct buf route = BUF_INIT;
	struct http_request request = {.method = "PUT", .content_type = "application/x-tar", .chunked = true};
	struct upload u = {.err = err};
	struct http_answer answer;
	int rc = cli_http(c->cli, &u.http, err);

	buf_str(&route, base);
	cli_query(&route, "noOverwriteDirNonDir", "true");
	request.path = route.data;
	if (rc == 0)
		rc = http_send(u.http, &request, err);
	if (rc == 0)
		rc = source ? send_source(&u, source, name, c->o->archive, err) : send_stdin(&u, err);
	if (rc == 0)
		rc = http_write_chunk(u.http, NULL, 0, err);
	if (rc < 0 && !u.refused) {
		/* An archive that broke off must not look whole. */
		http_close(cli_take_http(c->cli));
		return rc;
	}
	rc = http_receive(u.http, &answer, err);
	return rc < 0 ? rc : cli_finish(u.http, answer.status, NULL, err);
}

static int copy_in(const struct copy *c, struct err *err)
{
	AUTO(source_clear) struct source source = {.dirfd = -1};
	auto_free char *dir = NULL, *name = NULL, *to_path = NULL;
	struct destination to = {0};
	bool archive = str_eq(c->source, "-");
	int rc = archive ? 0 : local_source(c, &source, err);

	if (rc == 0)
		rc = remote_destination(c, &to, err);
	to_path = to.path;
	if (rc < 0)
		return rc;
	if (archive) {
		if (to.exists && !to.is_dir)
			return err_set(err, ERR_INVALID, "destination '%s:%s' must be a directory", c->container, c->destination);
		return upload(c, NULL, to.path, NULL, err);
	}
	rc = place(&to, source.is_dir, source.top, &dir, &name, err);
	return rc < 0 ? rc : upload(c, &source, dir, name, err);
}

/* ---- the command ----------------------------------------------------------------------------------------------------------------- */

#define O(member) offsetof(struct cp_command, member)
static const struct option cp_rows[] = {
	{ "archive", 'a', OPTION_BOOL, O(archive), "Keep the owner and group of files" },
	{ "follow-link", 'L', OPTION_BOOL, O(follow), "Follow a link that SRC is" },
};
#undef O

/* "CONTAINER:PATH"; a path that starts with "/" or "." is the host's. *ret_container stays NULL for one of the host. */
static const char *split_argument(const char *text, char **ret_container)
{
	const char *colon = strchr(text, ':');

	if (*text == '/' || *text == '.' || !colon || colon == text)
		return text;
	*ret_container = xstrndup(text, (size_t)(colon - text));
	return colon + 1;
}

static int run_cp(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	auto_free char *from = NULL, *to = NULL;
	struct copy c = {.cli = cli, .o = options};
	int rc;

	c.source = split_argument(args->v[0], &from);
	c.destination = split_argument(args->v[1], &to);
	c.container = from ? from : to;
	if (!*c.source || !*c.destination)
		return err_set(err, ERR_INVALID, "failed to copy: %s is empty", *c.source ? "the destination" : "the source");
	if (from && to)
		return err_set(err, ERR_INVALID, "failed to copy: not between containers; copy to the host first, or pipe: "
						 "'pouch cp A:PATH - | pouch cp - B:DIR'");
	if (!c.container)
		return err_set(err, ERR_INVALID, "failed to copy: neither '%s' nor '%s' is CONTAINER:PATH", args->v[0], args->v[1]);
	rc = from ? copy_out(&c, err) : copy_in(&c, err);
	return rc < 0 ? err_wrap(err, rc, "failed to copy %s container %s", from ? "from" : "to", c.container) : 0;
}

const struct command command_cp = {
	.name = "cp",
	.usage = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        pouch cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
	.summary = "Copy files between a container and the host",
	.description = "Copy files between a container, running or not, and the host. '-' is a tar archive on standard input "
		       "or output.\nA directory as destination takes the source in under its own name; 'SRC/.' means what is in SRC.",
	.groups = { OPTIONS(cp_rows) },
	.options_size = sizeof(struct cp_command),
	.min_args = 2,
	.max_args = 2,
	.run = run_cp,
	.examples = "  pouch cp web:/etc/nginx/nginx.conf .\n  pouch cp ./site/. web:/var/www\n  pouch cp web:/var/log - | tar tf -\n",
};
