/*
 * libc.c - from the name of a program to its C library
 */
#include "runtime/engine/libc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/elf.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/feature.h"

enum {
	SCRIPTS_MAX = 5,	/* the kernel follows no more interpreters */
	LINE_MAX_BYTES = 128,	/* and reads no more of a first line */
	FSTAT_SINCE = 33,	/* glibc 2.33: fstat() by fstatat(AT_EMPTY_PATH), */
	FSTAT_UNTIL = 38,	/* glibc 2.38: the last */
};

/* What glibc says, and only what compares has the words. */
static const char too_old[] = "FATAL: kernel too old";

/* ---- the kernel ---- */

void libc_kernel_parse(const char *release, uint32_t ret[3])
{
	char *end = (char *)release;

	for (int i = 0; i < 3; i++) {
		ret[i] = isdigit((unsigned char)*end) ? (uint32_t)strtoul(end, &end, 10) : 0;
		end += *end == '.';
	}
}

void libc_kernel_get(struct libc_kernel *ret)
{
	struct utsname uts = {0};

	(void)uname(&uts);	/* cannot fail */
	(void)str_fmt(ret->release, sizeof(ret->release), "%s", uts.release);
	libc_kernel_parse(uts.release, ret->version);
	ret->at_empty_path = feature_works(FEATURE_AT_EMPTY_PATH);
}

static bool is_older(const uint32_t a[3], const uint32_t b[3])
{
	for (int i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] < b[i];
	return false;
}

bool libc_kernel_is_new(const struct libc_kernel *kernel)
{
	static const uint32_t enough[3] = {5, 19, 0};

	return kernel->at_empty_path && !is_older(kernel->version, enough);
}

/* ---- files of the image ---- */

static int open_file(int root, const char *path)
{
	int fd = -1;

	return path_open_file_in(root, path, &fd, NULL) < 0 ? -1 : fd;
}

static int open_program(int root, const struct libc_program *p)
{
	const char *path = p->path;

	if (strchr(p->name, '/')) {
		auto_free char *full = *p->name == '/' ? xstrdup(p->name) : path_join(p->cwd, p->name);

		return open_file(root, full);
	}
	while (path && *path) {
		size_t n = strcspn(path, ":");
		auto_free char *full = xfmt("%.*s/%s", (int)n, path, p->name);
		int fd = n && *path == '/' ? open_file(root, full) : -1;
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_mode & 0111)
			return fd;
		if (fd >= 0)
			close(fd);
		path += n + (path[n] == ':');
	}
	return -1;
}

/* "#! /bin/sh -e" -> "/bin/sh". False: no script. */
static bool script_interpreter(int fd, char ret[LINE_MAX_BYTES])
{
	char line[LINE_MAX_BYTES];
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);
	char *name;

	if (n < 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	name = line + 2 + strspn(line + 2, " \t");
	name[strcspn(name, " \t")] = '\0';
	return *name == '/' && str_fmt(ret, LINE_MAX_BYTES, "%s", name) == 0;
}

/* The C library that @loader belongs to: beside it, or where distributions have it. */
static int open_libc(int root, const char *loader)
{
	static const char *const places[] = {
		"/lib64", "/usr/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib",
	};
	auto_free char *beside = xfmt("%.*s/libc.so.6", (int)(path_base(loader) - loader), loader);
	int fd = open_file(root, beside);

	for (size_t i = 0; i < ARRAY_SIZE(places) && fd < 0; i++) {
		auto_free char *path = path_join(places[i], "libc.so.6");

		fd = open_file(root, path);
	}
	return fd;
}

/* ---- the verdict ---- */

struct verdict {
	const struct libc_kernel *kernel;
	const char *name;	/* the program's */
	uint32_t minor;		/* of glibc, 0 not known */
};

static int refuse(const struct verdict *v, const char *why, struct err *err)
{
	static const uint32_t usual[3] = {3, 2, 0};
	const struct libc_kernel *k = v->kernel;
	char glibc[16] = "glibc";

	if (v->minor)
		(void)str_fmt(glibc, sizeof(glibc), "glibc 2.%u", v->minor);
	return err_set(err, ERR_UNSUPPORTED,
		       "cannot run '%s' on Linux %s: the %s of its image %s; what runs here: %s, glibc %s, and all images with musl "
		       "(Alpine); --annotation " LIBC_CHECK_ANNOTATION "=off tries it all the same",
		       v->name, k->release, glibc, why,
		       is_older(k->version, usual) ? "glibc up to 2.23 (CentOS 7, Debian 8, Ubuntu 16.04)"
						   : "glibc up to 2.32 (Debian 11, Ubuntu 20.04)",
		       k->at_empty_path ? "2.36 and newer" : "2.39 and newer (Debian 13, Ubuntu 24.04)");
}

/* @info of what has the ABI note: libc.so.6, or a static program. @checker has the code that compares. */
static int judge(const struct verdict *v, const struct elf_info *info, int checker, struct err *err)
{
	char why[100];

	if (info->has_abi && is_older(v->kernel->version, info->abi) && elf_mentions(checker, too_old)) {
		(void)str_fmt(why, sizeof(why), "was built for Linux %u.%u.%u and newer", info->abi[0], info->abi[1],
			      info->abi[2]);
		return refuse(v, why, err);
	}
	if (!v->kernel->at_empty_path && v->minor >= FSTAT_SINCE && v->minor <= FSTAT_UNTIL)
		return refuse(v, "needs fstatat(AT_EMPTY_PATH), which came with Linux 2.6.39", err);
	return 0;
}

/* "ld-2.17.so" -> 17, else 0 */
static uint32_t minor_of_loader(const char *path)
{
	const char *digits = str_skip(path_base(path), "ld-2.");

	return digits && isdigit((unsigned char)*digits) ? (uint32_t)strtoul(digits, NULL, 10) : 0;
}

/* A static program tells its glibc only where it can be asked for it (gnu_get_libc_version()); 0: it does not, or is of no interest. */
static uint32_t minor_of_static(int fd)
{
	char text[40];

	for (uint32_t minor = FSTAT_SINCE; minor <= FSTAT_UNTIL; minor++) {
		(void)str_fmt(text, sizeof(text), " release version 2.%u.", minor);
		if (elf_mentions(fd, text))
			return minor;
	}
	return 0;
}

static int check_static(struct verdict *v, const struct elf_info *program, int fd, struct err *err)
{
	if (program->has_abi && !v->kernel->at_empty_path)
		v->minor = minor_of_static(fd);
	return judge(v, program, fd, err);
}

static int check_dynamic(int root, struct verdict *v, const struct elf_info *program, struct err *err)
{
	auto_free char *loader = NULL;
	auto_fd int ld = -1;
	auto_fd int libc = -1;
	struct elf_info info = {0};

	if (path_resolve_in(root, program->interpreter, &loader, NULL) < 0)
		return 0;
	ld = open_file(root, loader);
	if (ld < 0 || str_starts(path_base(program->interpreter), "ld-musl"))
		return 0;
	libc = open_libc(root, loader);
	if (libc < 0 || elf_read(libc, &info) < 0 || info.machine != program->machine)
		info = (struct elf_info){0};
	v->minor = info.glibc_minor ? info.glibc_minor : minor_of_loader(loader);
	return judge(v, &info, ld, err);
}

int libc_check(const struct libc_program *p, const struct libc_kernel *kernel, struct err *err)
{
	struct verdict v = {.kernel = kernel, .name = p->name};
	auto_fd int root = open(p->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = root < 0 ? -1 : open_program(root, p);
	char interpreter[LINE_MAX_BYTES];
	struct elf_info info;

	for (int i = 0; i < SCRIPTS_MAX && fd >= 0 && script_interpreter(fd, interpreter); i++) {
		close(fd);
		fd = open_file(root, interpreter);
	}
	if (fd < 0 || elf_read(fd, &info) < 0)
		return 0;
	return *info.interpreter ? check_dynamic(root, &v, &info, err) : check_static(&v, &info, fd, err);
}
