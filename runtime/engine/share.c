/*
 * share - whose shim starts a container that shares namespaces of another
 */
#include "runtime/engine/share.h"

#include "compat/base/str.h"
#include "compat/kernel/ns.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"

enum { MODES = 4 };

struct mode {
	enum ns_kind kind;
	const char *text;
};

static void modes_of(const struct container_record *r, struct mode ret[MODES])
{
	const struct api_host_config *h = &r->host;

	ret[0] = (struct mode){NS_NET, h->network_mode};
	ret[1] = (struct mode){NS_IPC, h->ipc_mode};
	ret[2] = (struct mode){NS_UTS, h->uts_mode};
	ret[3] = (struct mode){NS_PID, h->pid_mode};
}

void share_clear(struct share *share)
{
	container_put(share->other);
	strv_clear(&share->kinds);
	*share = (struct share){0};
}

static int add(struct engine *e, const struct mode *m, struct share *s, struct err *err)
{
	AUTO(container_put) struct container *other = NULL;
	struct fit join;
	int rc = table_find(e, mode_container(m->text), &other, err);

	if (rc < 0)
		return rc;
	join = ns_join_fit(m->kind);
	if (join.score > FIT_NO)
		return 0;
	if (m->kind == NS_PID)
		return err_set(err, ERR_UNSUPPORTED, "join-namespaces: cannot share the pid namespace of container %.12s: %s", other->id,
			       join.reason);
	if (s->other && s->other != other)
		return err_set(err, ERR_UNSUPPORTED,
			       "join-namespaces: cannot share namespaces of the two containers %.12s and %.12s, only those of one: %s",
			       s->other->id, other->id, join.reason);
	strv_add(&s->kinds, ns_types[m->kind].oci);
	if (!s->other)
		s->other = take(other);
	return 0;
}

/* The other's shim has left the host's namespace of each kind that its container has for itself. */
static int check_host(const struct mode modes[MODES], const struct share *s, struct err *err)
{
	struct mode others[MODES];
	int rc = 0;

	pthread_mutex_lock(&s->other->lock);
	modes_of(&s->other->rec, others);
	for (size_t i = 0; i < MODES && !rc; i++)
		if (modes[i].kind != NS_PID && mode_is_host(modes[i].text) && !mode_is_host(others[i].text))
			rc = err_set(err, ERR_UNSUPPORTED,
				     "join-namespaces: cannot have the host's %s namespace and the %s namespace of container %.12s: %s",
				     ns_types[modes[i].kind].oci, s->kinds.v[0], s->other->id, ns_join_fit(modes[i].kind).reason);
	pthread_mutex_unlock(&s->other->lock);
	return rc;
}

int share_find(struct engine *e, const struct container_record *rec, struct share *ret, struct err *err)
{
	AUTO(share_clear) struct share s = {0};
	struct mode modes[MODES];
	int rc = 0;

	modes_of(rec, modes);
	for (size_t i = 0; i < MODES && rc >= 0; i++)
		if (mode_container(modes[i].text))
			rc = add(e, &modes[i], &s, err);
	if (rc >= 0 && s.other)
		rc = check_host(modes, &s, err);
	if (rc < 0)
		return rc;
	*ret = s;
	s = (struct share){0};
	return 0;
}
