/*
 * cgroup_host.c - which cgroup hierarchies are mounted, and which one serves each controller
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

enum { MOUNTS_MAX = 4 << 20, HIERARCHIES_MAX = CGROUP_MAX_HIERARCHIES };

static const struct {
	const char *v1, *v2;
} controllers[CTL_COUNT] = {
	[CTL_CPU] = {"cpu", "cpu"},
	[CTL_CPUACCT] = {"cpuacct", "cpu"},
	[CTL_CPUSET] = {"cpuset", "cpuset"},
	[CTL_MEMORY] = {"memory", "memory"},
	[CTL_DEVICES] = {"devices", NULL},
	[CTL_FREEZER] = {"freezer", NULL},
	[CTL_BLKIO] = {"blkio", "io"},
	[CTL_PIDS] = {"pids", "pids"},
	[CTL_HUGETLB] = {"hugetlb", "hugetlb"},
	[CTL_NET_CLS] = {"net_cls", NULL},
	[CTL_NET_PRIO] = {"net_prio", NULL},
	[CTL_PERF_EVENT] = {"perf_event", NULL},
	[CTL_RDMA] = {"rdma", "rdma"},
	[CTL_MISC] = {"misc", "misc"},
};

const char *cgroup_controller_name(enum cgroup_controller c, bool v2)
{
	return v2 ? controllers[c].v2 : controllers[c].v1;
}

/* /proc/mounts writes space, tab, newline and backslash as \ooo. */
static char *unescape(const char *s)
{
	char *out = xstrdup(s);
	char *w = out;

	for (const char *r = s; *r; r++) {
		if (r[0] == '\\' && r[1] >= '0' && r[1] <= '3' && r[2] >= '0' && r[2] <= '7' && r[3] >= '0' &&
		    r[3] <= '7') {
			*w++ = (char)((r[1] - '0') << 6 | (r[2] - '0') << 3 | (r[3] - '0'));
			r += 3;
		} else {
			*w++ = *r;
		}
	}
	*w = '\0';
	return out;
}

static unsigned int controller_bit(const char *name, bool v2)
{
	unsigned int bits = 0;

	for (int c = 0; c < CTL_COUNT; c++) {
		const char *known = cgroup_controller_name(c, v2);

		if (known && strcmp(known, name) == 0)
			bits |= CTL_BIT(c);
	}
	return bits;
}

/* Those that this process shall believe to be missing. */
static unsigned int controllers_without(unsigned int without)
{
	return (without & CGROUP_WITHOUT_PIDS ? CTL_BIT(CTL_PIDS) : 0) |
	       (without & CGROUP_WITHOUT_MEMORY ? CTL_BIT(CTL_MEMORY) : 0);
}

static void add_v1(struct cgroup_host *host, const char *mount, const char *options, unsigned int without)
{
	AUTO(strv_clear) struct strv words = {0};
	AUTO(strv_clear) struct strv kept = {0};
	unsigned int carries = 0;
	bool noprefix = false;
	struct cgroup_hierarchy *h;

	strv_split(&words, options, ",", false);
	STRV_EACH(word, &words) {
		unsigned int bit = controller_bit(*word, false);

		if (bit || str_starts(*word, "name="))
			strv_add(&kept, *word);
		carries |= bit;
		noprefix |= strcmp(*word, "noprefix") == 0;
		/* The ns controller moves every task that makes a namespace: nothing of ours may live there. */
		if (strcmp(*word, "ns") == 0)
			return;
	}
	if (!kept.n)
		return;
	for (int c = 0; c < CTL_COUNT; c++) {
		if ((carries & CTL_BIT(c)) && host->serves[c] >= 0)
			return; /* mounted a second time */
	}
	VEC_EACH(other, &host->hierarchies) {
		auto_free char *same = strv_join(&kept, ",");

		if (!other->v2 && strcmp(other->options, same) == 0)
			return;
	}

	h = VEC_ADD(&host->hierarchies);
	h->mount = unescape(mount);
	h->options = strv_join(&kept, ",");
	h->carries = carries & ~controllers_without(without);
	h->noprefix = noprefix;
	for (int c = 0; c < CTL_COUNT; c++) {
		if (h->carries & CTL_BIT(c))
			host->serves[c] = (int)(host->hierarchies.n - 1);
	}
}

static void add_v2(struct cgroup_host *host, const char *mount)
{
	struct cgroup_hierarchy *h;

	if (host->unified >= 0)
		return;
	h = VEC_ADD(&host->hierarchies);
	h->mount = unescape(mount);
	h->options = xstrdup("");
	h->v2 = true;
	host->unified = (int)(host->hierarchies.n - 1);
}

/* What no v1 hierarchy serves is served by the v2 tree, when it has it. */
static void serve_v2(struct cgroup_host *host, unsigned int without)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(strv_clear) struct strv names = {0};
	auto_free char *path = NULL;
	struct cgroup_hierarchy *h;
	struct err ignored;

	if (host->unified < 0)
		return;
	h = &host->hierarchies.v[host->unified];
	path = xfmt("%s/cgroup.controllers", h->mount);
	if (file_read(-1, path, MOUNTS_MAX, &text, &ignored) < 0)
		return;

	strv_split(&names, buf_cstr(&text), " \n", false);
	STRV_EACH(name, &names) {
		unsigned int bits = controller_bit(*name, true) & ~controllers_without(without);

		for (int c = 0; c < CTL_COUNT; c++) {
			if ((bits & CTL_BIT(c)) && host->serves[c] < 0) {
				host->serves[c] = host->unified;
				h->carries |= CTL_BIT(c);
			}
		}
	}
}

void cgroup_host_parse(const char *mounts, unsigned int without, struct cgroup_host *ret)
{
	AUTO(strv_clear) struct strv lines = {0};
	bool v1 = false;

	*ret = (struct cgroup_host){.unified = -1};
	for (int c = 0; c < CTL_COUNT; c++)
		ret->serves[c] = -1;

	strv_split(&lines, mounts, "\n", false);
	STRV_EACH(line, &lines) {
		char *save = NULL;
		const char *device = strtok_r(*line, " ", &save);
		const char *mount = strtok_r(NULL, " ", &save);
		const char *type = strtok_r(NULL, " ", &save);
		const char *options = strtok_r(NULL, " ", &save);

		if (!device || !options || ret->hierarchies.n == HIERARCHIES_MAX)
			continue;
		if (strcmp(type, "cgroup") == 0 && !(without & CGROUP_WITHOUT_V1))
			add_v1(ret, mount, options, without);
		else if (strcmp(type, "cgroup2") == 0 && !(without & CGROUP_WITHOUT_V2))
			add_v2(ret, mount);
	}
	serve_v2(ret, without);

	VEC_EACH(h, &ret->hierarchies) {
		if (!h->v2 && h->carries)
			v1 = true;
	}
	if (ret->unified >= 0)
		ret->mode = v1 ? CGROUP_HYBRID : CGROUP_V2;
	else
		ret->mode = v1 ? CGROUP_V1 : CGROUP_NONE;
}

int cgroup_host_read(struct cgroup_host *ret, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = file_read(-1, "/proc/mounts", MOUNTS_MAX, &text, err);

	if (rc < 0)
		return rc;
	cgroup_host_parse(buf_cstr(&text),
			  (hidden("cgroup_v1") ? CGROUP_WITHOUT_V1 : 0) | (hidden("cgroup_v2") ? CGROUP_WITHOUT_V2 : 0) |
				  (hidden("pids_cgroup") ? CGROUP_WITHOUT_PIDS : 0) |
				  (hidden("memory_cgroup") ? CGROUP_WITHOUT_MEMORY : 0),
			  ret);
	return 0;
}

void cgroup_host_clear(struct cgroup_host *host)
{
	VEC_EACH(h, &host->hierarchies) {
		free(h->mount);
		free(h->options);
	}
	VEC_FREE(&host->hierarchies);
}

bool cgroup_kernel_knows(const char *name, struct cgroup_known *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *save = NULL;
	struct err ignored;

	if (file_read(-1, "/proc/cgroups", MOUNTS_MAX, &text, &ignored) < 0 || !text.len)
		return false;
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned int hierarchy, groups, enabled;
		char word[32];

		if (sscanf(line, "%31s %u %u %u", word, &hierarchy, &groups, &enabled) != 4 || strcmp(word, name))
			continue;
		*ret = (struct cgroup_known){hierarchy, enabled != 0};
		return true;
	}
	return false;
}

struct fit cgroup_controller_missing(enum cgroup_controller c)
{
	const char *name = cgroup_controller_name(c, false);
	struct cgroup_known known;

	if ((c == CTL_PIDS && hidden("pids_cgroup")) || (c == CTL_MEMORY && hidden("memory_cgroup")))
		return fit(FIT_NO, "hidden");
	if (!cgroup_kernel_knows(name, &known))
		return fit(FIT_NO, "this kernel has no cgroup controller '%s'", name);
	if (!known.enabled)
		return fit(FIT_NO, "the cgroup controller '%s' is switched off: boot with cgroup_enable=%s", name, name);
	return fit(FIT_NO, "no cgroup controller '%s' is mounted", name);
}

enum cgroup_mode cgroup_host_mode(void)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	struct err ignored;

	if (cgroup_host_read(&host, &ignored) < 0)
		return CGROUP_NONE;
	return host.mode;
}

const char *cgroup_mode_name(enum cgroup_mode mode)
{
	static const char *const names[] = {"none", "v1", "v2", "hybrid"};

	return names[mode];
}
