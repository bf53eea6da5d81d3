/*
 * cgroup_plan.c - limits become a list of files and values, which is checked as a whole and then written
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

void cgroup_plan_clear(cgroup_plan *plan)
{
	VEC_EACH(w, plan) {
		free(w->value);
		free(w->alternative_value);
	}
	VEC_FREE(plan);
}

struct cgroup_write *cgroup_plan_add(cgroup_plan *plan, enum cgroup_limit limit, enum cgroup_controller c,
				     const char *file, const char *fmt, ...)
{
	AUTO(buf_clear) struct buf value = BUF_INIT;
	struct cgroup_write *w = VEC_ADD(plan);
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&value, fmt, ap);
	va_end(ap);
	w->limit = limit;
	w->controller = c;
	snprintf(w->file, sizeof(w->file), "%s", file);
	w->value = buf_take(&value);
	return w;
}

/* ---- values that make no sense anywhere --------------------------------------------------------------------------------------- */

static int check_cpu_list(const char *list, const char *what, struct err *err)
{
	if (!str_empty(list) && (strspn(list, "0123456789,-") != strlen(list) || strlen(list) > 4000))
		return err_set(err, ERR_INVALID, "invalid %s '%s': want a list such as 0-3,7", what, list);
	return 0;
}

static int check_weight(const struct opt_u64 *weight, const char *what, struct err *err)
{
	if (weight->set && weight->v && (weight->v < 10 || weight->v > 1000))
		return err_set(err, ERR_INVALID, "invalid %s %llu: range is from 10 to 1000", what,
			       (unsigned long long)weight->v);
	return 0;
}

static int check_memory(const struct cgroup_memory *m, struct err *err)
{
	const struct {
		const struct opt_i64 *value;
		const char *what;
	} limits[] = {
		{&m->limit, "memory limit"},
		{&m->swap, "memory and swap limit"},
		{&m->reservation, "memory reservation"},
		{&m->kernel, "kernel memory limit"},
		{&m->kernel_tcp, "kernel TCP memory limit"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (limits[i].value->set && limits[i].value->v < -1)
			return err_set(err, ERR_INVALID, "invalid %s %lld", limits[i].what,
				       (long long)limits[i].value->v);
	}
	if (m->limit.set && m->swap.set && m->swap.v > 0 && (m->limit.v > m->swap.v || m->limit.v == -1))
		return err_set(err, ERR_INVALID, "memory and swap limit %lld is below the memory limit %lld",
			       (long long)m->swap.v, (long long)m->limit.v);
	if (m->limit.set && m->limit.v > 0 && m->reservation.set && m->reservation.v > m->limit.v)
		return err_set(err, ERR_INVALID, "memory reservation %lld is above the memory limit %lld",
			       (long long)m->reservation.v, (long long)m->limit.v);
	if (m->swappiness.set && m->swappiness.v > 200)
		return err_set(err, ERR_INVALID, "invalid swappiness %llu: range is from 0 to 100",
			       (unsigned long long)m->swappiness.v);
	return 0;
}

static int check_values(const struct cgroup_resources *res, struct err *err)
{
	int rc = check_memory(&res->memory, err);

	if (rc < 0 || (rc = check_cpu_list(res->cpu.cpus, "cpu list", err)) < 0 ||
	    (rc = check_cpu_list(res->cpu.mems, "memory node list", err)) < 0 ||
	    (rc = check_weight(&res->blkio.weight, "block I/O weight", err)) < 0 ||
	    (rc = check_weight(&res->blkio.leaf_weight, "block I/O leaf weight", err)) < 0)
		return rc;
	if (res->cpu.quota.set && res->cpu.quota.v < -1)
		return err_set(err, ERR_INVALID, "invalid CPU quota %lld", (long long)res->cpu.quota.v);
	if (res->cpu.idle.set && res->cpu.idle.v != 0 && res->cpu.idle.v != 1)
		return err_set(err, ERR_INVALID, "invalid CPU idle %lld: 0 or 1", (long long)res->cpu.idle.v);
	VEC_EACH(d, &res->blkio.weight_device) {
		rc = check_weight(&d->weight, "block I/O device weight", err);
		if (rc < 0 || (rc = check_weight(&d->leaf_weight, "block I/O device leaf weight", err)) < 0)
			return rc;
	}
	VEC_EACH(page, &res->hugepages) {
		if (strspn(page->page_size, "0123456789KMGB") != strlen(page->page_size) ||
		    !*page->page_size || strlen(page->page_size) > 12)
			return err_set(err, ERR_INVALID, "invalid huge page size '%s': want 2MB or 1GB",
				       page->page_size);
	}
	VEC_EACH(p, &res->network.priorities) {
		if (!*p->name || strlen(p->name) > 15 || strpbrk(p->name, " \n/"))
			return err_set(err, ERR_INVALID, "invalid interface '%s' in network priorities", p->name);
	}
	VEC_EACH(r, &res->rdma) {
		if (!*r->device || strlen(r->device) > 64 || strpbrk(r->device, " \n"))
			return err_set(err, ERR_INVALID, "invalid RDMA device '%s'", r->device);
	}
	VEC_EACH(pair, &res->unified) {
		const char *dot = strchr(pair->key, '.');

		if (!dot || dot == pair->key || strchr(pair->key, '/') || strlen(pair->key) >= CGROUP_WRITE_FILE_MAX)
			return err_set(err, ERR_INVALID, "invalid cgroup v2 file '%s'", pair->key);
		if (str_starts(pair->key, "cgroup.") && strcmp(pair->key, "cgroup.max.depth") &&
		    strcmp(pair->key, "cgroup.max.descendants") && strcmp(pair->key, "cgroup.pressure"))
			return err_set(err, ERR_INVALID, "cgroup v2 file '%s' is not a limit", pair->key);
	}
	return 0;
}

/* A later row of the same limit says the same, so the first planned write of a limit without a controller is the refusal. */
static int check_served(const struct cgroup_host *host, const cgroup_plan *plan, struct err *err)
{
	VEC_EACH(w, plan) {
		struct fit why;

		if (w->optional)
			continue;
		if (w->controller == CTL_COUNT && host->unified < 0)
			return err_set(err, ERR_UNSUPPORTED, "%s: no cgroup v2 tree is mounted",
				       cgroup_limit_name(w->limit));
		if (w->controller != CTL_COUNT && host->serves[w->controller] < 0 &&
		    !(w->controller == CTL_DEVICES && host->unified >= 0)) {
			why = cgroup_controller_missing(w->controller);
			return err_set(err, ERR_UNSUPPORTED, "%s: %s", cgroup_limit_name(w->limit), why.reason);
		}
	}
	return 0;
}

static void drop_elsewhere(cgroup_plan *plan, uint64_t elsewhere)
{
	for (size_t i = plan->n; i > 0; i--) {
		struct cgroup_write *w = &plan->v[i - 1];

		if (!(elsewhere & LIMIT_BIT(w->limit)))
			continue;
		free(w->value);
		free(w->alternative_value);
		VEC_DEL(plan, i - 1);
	}
}

int cgroup_plan_make(const struct cgroup_host *host, const struct cgroup_resources *res, uint64_t elsewhere, cgroup_plan *ret,
		     struct err *err)
{
	int rc = check_values(res, err);

	if (rc < 0 || (rc = cgroup_plan_v1(host, res, ret, err)) < 0 || (rc = cgroup_plan_v2(host, res, ret, err)) < 0)
		return rc;
	drop_elsewhere(ret, elsewhere);
	return check_served(host, ret, err);
}

/* ---- carrying it out ---------------------------------------------------------------------------------------------------------- */

static int plan_hierarchy(const struct cgroup *cg, const struct cgroup_write *w)
{
	if (w->controller == CTL_COUNT)
		return cg->host.unified >= 0 && cg->joined[cg->host.unified] ? cg->host.unified : -1;
	return cgroup_serving(cg, w->controller);
}

static bool has_file(const struct cgroup *cg, int h, const char *file)
{
	auto_free char *path = cgroup_file(cg, h, file);

	return !cgroup_hides_file(file) && access(path, F_OK) == 0;
}

/* Rules of devices come by the dozen, all for one file. */
static bool same_file(const struct cgroup_write *a, const struct cgroup_write *b)
{
	return a->controller == b->controller && strcmp(a->file, b->file) == 0;
}

/* Settle which file each write goes to; refuse before anything is written when one is missing. */
static int resolve(const struct cgroup *cg, cgroup_plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct cgroup_write *w = &plan->v[i];
		int h = plan_hierarchy(cg, w);

		if (h >= 0 && ((i && plan->v[i - 1].value && same_file(w, &plan->v[i - 1])) || has_file(cg, h, w->file)))
			continue;
		if (h >= 0 && *w->alternative && has_file(cg, h, w->alternative)) {
			memcpy(w->file, w->alternative, sizeof(w->file));
			if (w->alternative_value) {
				free(w->value);
				w->value = take(w->alternative_value);
			}
			continue;
		}
		if (!w->optional)
			return err_set(err, ERR_UNSUPPORTED, "%s: this kernel has no %s%s%s",
				       cgroup_limit_name(w->limit), w->file, *w->alternative ? " or " : "",
				       w->alternative);
		free(take(w->value)); /* marks it as done */
	}
	return 0;
}

/* Put the first word that the file has now in front of what is new. */
static int keep_first_word(const struct cgroup *cg, struct cgroup_write *w, struct err *err)
{
	AUTO(buf_clear) struct buf now = BUF_INIT;
	const char *rest = strchr(w->value, ' ');
	char *value;
	int rc = cgroup_read(cg, plan_hierarchy(cg, w), w->file, &now, err);

	if (rc < 0)
		return rc;
	value = xfmt("%.*s%s", (int)strcspn(buf_cstr(&now), " "), buf_cstr(&now), rest ? rest : "");
	free(w->value);
	w->value = value;
	w->keep_first = false;
	return 0;
}

static int explain(const struct cgroup *cg, const struct cgroup_write *w, int rc, struct err *err)
{
	int h = plan_hierarchy(cg, w);
	uint64_t usage;

	if ((w->limit == CGROUP_SWAPPINESS || w->limit == CGROUP_OOM_DISABLE) && rc == -EINVAL)
		return err_wrap(err, rc, "set %s to %s (before Linux 3.16 only where memory.use_hierarchy of the group above is 0)",
				cgroup_limit_name(w->limit), w->value);
	if (w->controller == CTL_MEMORY && (rc == -EBUSY || rc == -EINVAL) &&
	    cgroup_read_u64(cg, h, cg->host.hierarchies.v[h].v2 ? "memory.current" : "memory.usage_in_bytes",
			    &usage) == 0)
		return err_wrap(err, rc, "set %s to %s (in use now: %llu)", cgroup_limit_name(w->limit), w->value,
				(unsigned long long)usage);
	return err_wrap(err, rc, "set %s to '%s'", cgroup_limit_name(w->limit), w->value);
}

/* The file that was written last stays open for the next value. */
struct writer {
	const struct cgroup *cg;
	const struct cgroup_write *last;
	int fd;
};

static void writer_clear(struct writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
}
DEFINE_AUTO_CLEAR(writer_clear, struct writer)

static int write_one(struct writer *writer, const struct cgroup_write *w, struct err *err)
{
	size_t len = strlen(w->value);

	if (!writer->last || !same_file(w, writer->last)) {
		auto_free char *path = cgroup_file(writer->cg, plan_hierarchy(writer->cg, w), w->file);

		writer_clear(writer);
		writer->last = NULL;
		writer->fd = open(path, O_WRONLY | O_CLOEXEC);
		if (writer->fd < 0)
			return err_sys(err, errno, "open '%s'", path);
		writer->last = w;
	}
	if (write(writer->fd, w->value, len) != (ssize_t)len)
		return err_sys(err, errno, "write '%s' to '%s'", w->value, w->file);
	return 0;
}

/*
 * One group of writes that may depend on one another (memory and swap, period and quota): what the kernel refuses with
 * EINVAL or EBUSY is tried again when another of the group went through.
 */
static int write_group(struct writer *writer, struct cgroup_write *writes, size_t n, struct err *err)
{
	struct cgroup_write *refused = NULL;
	bool progress = true;
	int rc = 0;

	while (progress) {
		progress = false;
		refused = NULL;
		for (size_t i = 0; i < n; i++) {
			struct err why = ERR_INIT;
			int one;

			if (!writes[i].value)
				continue;
			one = writes[i].keep_first ? keep_first_word(writer->cg, &writes[i], &why) : 0;
			if (one >= 0)
				one = write_one(writer, &writes[i], &why);
			if (one >= 0) {
				free(take(writes[i].value));
				progress = true;
			} else if (!refused) {
				refused = &writes[i];
				rc = one;
				if (err)
					*err = why;
			}
			if (one < 0 && one != -EINVAL && one != -EBUSY)
				return explain(writer->cg, refused, rc, err);
		}
		if (!refused) {
			if (err)
				err_clear(err);
			return 0;
		}
	}
	return explain(writer->cg, refused, rc, err);
}

static int write_plan(const struct cgroup *cg, cgroup_plan *plan, struct err *err)
{
	AUTO(writer_clear) struct writer writer = {.cg = cg, .fd = -1};

	for (size_t i = 0; i < plan->n;) {
		size_t n = 1;
		int rc;

		while (plan->v[i].group && i + n < plan->n && plan->v[i + n].group == plan->v[i].group)
			n++;
		rc = write_group(&writer, &plan->v[i], n, err);
		if (rc < 0)
			return rc;
		i += n;
	}
	return 0;
}

static int check_usage(const struct cgroup *cg, const struct cgroup_resources *res, struct err *err)
{
	int h = cgroup_serving(cg, CTL_MEMORY);
	const struct cgroup_memory *m = &res->memory;
	uint64_t usage;

	if (!m->check_before_update.v || !m->limit.set || m->limit.v <= 0 || h < 0)
		return 0;
	if (cgroup_read_u64(cg, h, cg->host.hierarchies.v[h].v2 ? "memory.current" : "memory.usage_in_bytes",
			    &usage) < 0 || usage <= (uint64_t)m->limit.v)
		return 0;
	return err_set(err, ERR_INVALID, "memory limit %lld is below what is in use now, %llu", (long long)m->limit.v,
		       (unsigned long long)usage);
}

/* On a hybrid host: does the plan need the v2 tree? */
static bool wants_unified(const struct cgroup *cg, const cgroup_plan *plan)
{
	VEC_EACH(w, plan) {
		if (w->controller == CTL_COUNT || (cg->host.serves[w->controller] == cg->host.unified && !w->optional))
			return true;
	}
	return false;
}

int cgroup_apply(struct cgroup *cg, const struct cgroup_resources *res, struct err *err)
{
	AUTO(cgroup_devices_clear) struct cgroup_device_state devices = {0};
	AUTO(cgroup_plan_clear) cgroup_plan plan = {0};
	bool by_program = res->devices.n && cg->host.serves[CTL_DEVICES] < 0;
	struct cgroup_kept kept = cg->kept;
	uint64_t elsewhere = 0;
	int rc = cgroup_keep_some(cg, res, &kept, &elsewhere, err);

	if (rc < 0 || (rc = cgroup_plan_make(&cg->host, res, elsewhere, &plan, err)) < 0 ||
	    (rc = check_usage(cg, res, err)) < 0)
		return rc;
	if (res->devices.n) {
		rc = cgroup_devices_fold(res, &devices, err);
		if (rc < 0)
			return rc;
		if (!by_program)
			cgroup_devices_plan(&devices, &plan);
		else if (cg->host.unified < 0)
			return err_set(err, ERR_UNSUPPORTED, "%s: no cgroup controller 'devices' is mounted",
				       cgroup_limit_name(CGROUP_DEVICES));
	}
	if (by_program || wants_unified(cg, &plan)) {
		rc = cgroup_join_unified(cg, err);
		if (rc < 0)
			return rc;
	}
	rc = resolve(cg, &plan, err);
	if (rc < 0)
		return rc;
	if (by_program) {
		rc = cgroup_devices_attach(cg->dirs[cg->host.unified], &devices, err);
		if (rc < 0)
			return rc;
	}
	if (res->cpu.rt_runtime.set)
		rc = cgroup_realtime_room(cg, res->cpu.rt_runtime.v, (int64_t)res->cpu.rt_period.v, err);
	if (rc >= 0)
		rc = write_plan(cg, &plan, err);
	if (rc >= 0)
		cg->kept = kept;
	return rc;
}

int cgroup_check(const struct cgroup_resources *res, struct err *err)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	AUTO(cgroup_devices_clear) struct cgroup_device_state devices = {0};
	AUTO(cgroup_plan_clear) cgroup_plan plan = {0};
	int rc = cgroup_host_read(&host, err);

	if (rc < 0 || (rc = cgroup_plan_make(&host, res, cgroup_substituted(), &plan, err)) < 0 ||
	    (rc = cgroup_devices_fold(res, &devices, err)) < 0)
		return rc;
	VEC_EACH(w, &plan) {
		struct fit best;

		if (w->optional)
			continue;
		best = cgroup_limit_fit(w->limit);
		if (best.score == FIT_NO)
			return err_set(err, ERR_UNSUPPORTED, "%s: %s", cgroup_limit_name(w->limit), best.reason);
	}
	return 0;
}
