/*
 * f_layer - a layer's tar, for a directory that holds something already, beside one that nothing may reach
 *
 * The first byte says how whiteouts are meant.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "runtime/image/ring.h"
#include "runtime/image/unpack.h"

#define BLOCK (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int rc)
{
	if (rc < 0)
		abort();
}

static int make_root(int top)
{
	int root;

	must(mkdirat(top, "root", 0755));
	must(mkdirat(top, "victim", 0700));
	root = openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(root);
	must(mkdirat(root, "dir", 0755));
	must(symlinkat("../victim", root, "out"));
	must(symlinkat("dir", root, "in"));
	return root;
}

static void check_victim(int top)
{
	struct stat st;

	must(fstatat(top, "victim", &st, AT_SYMLINK_NOFOLLOW));
	if (!S_ISDIR(st.st_mode) || (st.st_mode & 07777) != 0700 || st.st_uid != geteuid())
		abort();
	must(unlinkat(top, "victim", AT_REMOVEDIR));	/* it is empty */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/dev/shm/pouch-f_layer-XXXXXX";
	struct ring *ring;
	struct unpack u = {.entries_max = 200, .bytes_max = 1 << 20};
	uint64_t bytes;
	int top, root;

	if (size < 2 || size > 8 * BLOCK || !mkdtemp(path))
		return 0;
	top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(top);
	root = make_root(top);
	ring = ring_new(10, BLOCK);
	ring_write(ring, data + 1, size - 1);
	ring_end(ring, 0);
	u.in = ring;
	u.dirfd = root;
	u.overlay_whiteouts = data[0] & 1;
	(void)unpack_run(&u, &bytes, NULL);	/* refused or done, both are fine */
	ring_free(ring);
	close(root);
	check_victim(top);
	close(top);
	must(path_remove_tree(path, NULL));
	return 0;
}
