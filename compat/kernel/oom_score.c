/*
 * oom_score.c - the two files of the kernel
 */
#include "compat/kernel/oom_score.h"

#include <errno.h>
#include <fcntl.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"

int oom_score_to_adj(int64_t score)
{
	return (int)(score < 0 ? score * 17 / 1000 : score * 15 / 1000);
}

static int put(pid_t pid, const char *file, long long value, struct err *err)
{
	char who[16] = "self", path[64], text[24];

	if (pid)
		(void)str_fmt(who, sizeof(who), "%d", (int)pid);
	(void)str_fmt(path, sizeof(path), "/proc/%s/%s", who, file);
	(void)str_fmt(text, sizeof(text), "%lld", value);
	return file_put(AT_FDCWD, path, text, err);
}

int oom_score_set(pid_t pid, int64_t score, struct err *err)
{
	int rc = hidden("oom_score_adj") ? -ENOENT : put(pid, "oom_score_adj", score, err);

	return rc == -ENOENT ? put(pid, "oom_adj", oom_score_to_adj(score), err) : rc;
}
