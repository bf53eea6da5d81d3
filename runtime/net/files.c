/*
 * files.c - /etc/hosts, /etc/hostname and /etc/resolv.conf of a container
 *
 * Written in place, never replaced: a running container has the inode bind-mounted.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

enum { HOST_FILE_MAX = 1 << 20, NAMESERVERS_MAX = 64 };

static const char *const fallback_dns[] = {"8.8.8.8", "8.8.4.4"};

static int write_file(const char *dir, const char *name, const struct buf *text, struct err *err)
{
	auto_free char *path = path_join(dir, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	(void)fchmod(fd, 0644); /* the umask must not make it unreadable inside */
	rc = fd_write_all(fd, buf_cstr(text), text->len);
	if (rc >= 0 && ftruncate(fd, (off_t)text->len) < 0)
		rc = -errno;
	return rc < 0 ? err_sys(err, -rc, "write '%s'", path) : 0;
}

static int read_host(const char *path, struct buf *ret, struct err *err)
{
	struct err why = ERR_INIT;
	int rc = file_read(-1, path, HOST_FILE_MAX, ret, &why);

	if (rc < 0 && why.code != ENOENT) {
		if (err)
			*err = why;
		return rc;
	}
	return 0;
}

/* ---- hosts -------------------------------------------------------------------------------------------------------------------- */

/* "name:ip", where the address may be IPv6. */
static int add_extra(struct buf *text, const struct strv *extra, struct err *err)
{
	for (size_t i = 0; extra && i < extra->n; i++) {
		const char *colon = strchr(extra->v[i], ':');
		const char *ip = colon ? colon + 1 : "";
		auto_free char *bare = NULL;
		unsigned char addr[16];
		size_t len = strlen(ip);

		if (*ip == '[' && len > 2 && ip[len - 1] == ']')
			bare = xstrndup(ip + 1, len - 2);
		else
			bare = xstrdup(ip);
		if (!colon || colon == extra->v[i] || strpbrk(extra->v[i], " \t\n#") ||
		    (inet_pton(AF_INET, bare, addr) != 1 && inet_pton(AF_INET6, bare, addr) != 1))
			return err_set(err, ERR_INVALID, "invalid extra host '%s': want NAME:IP", extra->v[i]);
		buf_fmt(text, "%s\t%.*s\n", bare, (int)(colon - extra->v[i]), extra->v[i]);
	}
	return 0;
}

static void add_own(struct buf *text, const char *ip, const struct net_files *f)
{
	buf_fmt(text, "%s\t", ip);
	if (!str_empty(f->domainname))
		buf_fmt(text, "%s.%s ", f->hostname, f->domainname);
	buf_str(text, f->hostname);
	for (size_t i = 0; f->aliases && i < f->aliases->n; i++)
		buf_fmt(text, " %s", f->aliases->v[i]);
	buf_char(text, '\n');
}

int net_hosts_write(const char *dir, const struct net_files *f, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc;

	if (f->host_network) {
		rc = read_host("/etc/hosts", &text, err);
		if (rc < 0)
			return rc;
		if (text.len && text.data[text.len - 1] != '\n')
			buf_char(&text, '\n');
	}
	if (!text.len)
		buf_str(&text, "127.0.0.1\tlocalhost\n"
			       "::1\tlocalhost ip6-localhost ip6-loopback\n"
			       "fe00::0\tip6-localnet\n"
			       "ff00::0\tip6-mcastprefix\n"
			       "ff02::1\tip6-allnodes\n"
			       "ff02::2\tip6-allrouters\n");
	rc = add_extra(&text, f->extra_hosts, err);
	if (rc < 0)
		return rc;
	if (!f->host_network && !str_empty(f->hostname)) {
		if (!str_empty(f->ip))
			add_own(&text, f->ip, f);
		if (!str_empty(f->ip6))
			add_own(&text, f->ip6, f);
	}
	return write_file(dir, "hosts", &text, err);
}

/* ---- resolv.conf -------------------------------------------------------------------------------------------------------------- */

struct resolv {
	struct strv servers, search, options;
	struct strv other;	/* lines of other kinds, kept as they are */
};

static void resolv_clear(struct resolv *r)
{
	strv_clear(&r->servers);
	strv_clear(&r->search);
	strv_clear(&r->options);
	strv_clear(&r->other);
}
DEFINE_AUTO_CLEAR(resolv_clear, struct resolv)

static void resolv_parse(const char *text, struct resolv *ret)
{
	AUTO(strv_clear) struct strv lines = {0};

	strv_split(&lines, text, "\n", false);
	STRV_EACH(line, &lines) {
		AUTO(strv_clear) struct strv words = {0};

		(*line)[strcspn(*line, "#;")] = '\0';
		strv_split(&words, *line, " \t\r", false);
		if (!words.n)
			continue;
		if (strcmp(words.v[0], "nameserver") == 0 && words.n > 1 && ret->servers.n < NAMESERVERS_MAX) {
			strv_add(&ret->servers, words.v[1]);
		} else if (strcmp(words.v[0], "search") == 0 || strcmp(words.v[0], "domain") == 0) {
			strv_clear(&ret->search); /* the last line counts */
			for (size_t i = 1; i < words.n; i++)
				strv_add(&ret->search, words.v[i]);
		} else if (strcmp(words.v[0], "options") == 0) {
			for (size_t i = 1; i < words.n; i++)
				strv_add(&ret->options, words.v[i]);
		} else if (strcmp(words.v[0], "sortlist") == 0) {
			auto_free char *whole = strv_join(&words, " ");

			strv_add(&ret->other, whole);
		}
	}
}

static bool is_loopback(const char *server)
{
	return str_starts(server, "127.") || strcmp(server, "::1") == 0 || str_starts(server, "fe80:");
}

/* A name server on the host's loopback is out of the container's reach. */
static void drop_loopback(struct strv *servers)
{
	AUTO(strv_clear) struct strv kept = {0};

	STRV_EACH(server, servers) {
		if (!is_loopback(*server))
			strv_add(&kept, *server);
	}
	if (!kept.n) {
		for (size_t i = 0; i < ARRAY_SIZE(fallback_dns); i++)
			strv_add(&kept, fallback_dns[i]);
	}
	strv_clear(servers);
	strv_add_all(servers, &kept);
}

/* An option list of the user replaces the host's; "." alone means none. */
static void replace(struct strv *list, const struct strv *given)
{
	if (!given || !given->n)
		return;
	strv_clear(list);
	if (given->n != 1 || strcmp(given->v[0], "."))
		strv_add_all(list, given);
}

static void add_line(struct buf *text, const char *word, const struct strv *list)
{
	if (!list->n)
		return;
	buf_str(text, word);
	for (size_t i = 0; i < list->n; i++)
		buf_fmt(text, " %s", list->v[i]);
	buf_char(text, '\n');
}

static int check_words(const struct strv *list, const char *option, bool address, struct err *err)
{
	for (size_t i = 0; list && i < list->n; i++) {
		unsigned char addr[16];

		if (!*list->v[i] || strpbrk(list->v[i], " \t\r\n#;") ||
		    (address && inet_pton(AF_INET, list->v[i], addr) != 1 && inet_pton(AF_INET6, list->v[i], addr) != 1))
			return err_set(err, ERR_INVALID, "invalid %s '%s'", option, list->v[i]);
	}
	return 0;
}

static int write_resolv(const char *dir, const struct net_files *f, struct err *err)
{
	AUTO(resolv_clear) struct resolv r = {0};
	AUTO(buf_clear) struct buf host = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	bool own_dns = f->dns && f->dns->n;
	int rc = check_words(f->dns, "--dns", true, err);

	if (rc < 0 || (rc = check_words(f->dns_search, "--dns-search", false, err)) < 0 ||
	    (rc = check_words(f->dns_options, "--dns-option", false, err)) < 0 ||
	    (rc = read_host(f->host_resolv ? f->host_resolv : "/etc/resolv.conf", &host, err)) < 0)
		return rc;
	resolv_parse(buf_cstr(&host), &r);
	replace(&r.servers, f->dns);
	if (!own_dns && !f->host_network)
		drop_loopback(&r.servers);
	replace(&r.search, f->dns_search);
	replace(&r.options, f->dns_options);

	add_line(&text, "search", &r.search);
	STRV_EACH(server, &r.servers)
		buf_fmt(&text, "nameserver %s\n", *server);
	add_line(&text, "options", &r.options);
	STRV_EACH(line, &r.other)
		buf_fmt(&text, "%s\n", *line);
	return write_file(dir, "resolv.conf", &text, err);
}

int net_files_write(const char *dir, const struct net_files *files, struct err *err)
{
	AUTO(buf_clear) struct buf name = BUF_INIT;
	int rc;

	buf_fmt(&name, "%s\n", files->hostname ? files->hostname : "");
	rc = write_file(dir, "hostname", &name, err);
	if (rc < 0 || (rc = net_hosts_write(dir, files, err)) < 0)
		return rc;
	return write_resolv(dir, files, err);
}
