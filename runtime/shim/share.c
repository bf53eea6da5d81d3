/*
 * share - one more shim in the namespaces of this one's container, where the kernel cannot join them
 *
 * What may be shared was made by the shim itself (oci_create.left), so that a child of it is in the same namespaces, and yet in the host's
 * mount and pid namespaces, from which a container is made. It is this program that is started, nothing that the request could name.
 */
#include <stdlib.h>
#include <string.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/ns.h"
#include "runtime/oci/spec.h"
#include "runtime/shim/keeper.h"

int share_mask(const struct strv *kinds, unsigned int *ret, struct err *err)
{
	*ret = 0;
	STRV_EACH(kind, kinds) {
		int n = ns_parse(*kind);

		if (n < 0)
			return err_set(err, ERR_INVALID, "no kind of namespace is called '%.40s'", *kind);
		*ret |= 1u << n;
	}
	return 0;
}

/* "network,ipc", as the new shim's argument. Owned. */
static char *words(unsigned int mask)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	for (int i = 0; i < NS_COUNT; i++)
		if (mask & 1u << i)
			buf_fmt(&text, "%s%s", text.len ? "," : "", ns_types[i].oci);
	return xstrdup(buf_cstr(&text));
}

/* Each is either where this shim is by its own doing, or the host's, where it is too. */
static int check(struct keeper *k, unsigned int kinds, struct err *err)
{
	const struct oci_spec *spec;
	int rc;

	if (k->phase != PHASE_RUNNING && k->phase != PHASE_CREATED)
		return err_set(err, ERR_CONFLICT, "container is not running");
	if (k->runtime != &runtime_oci)
		return err_set(err, ERR_UNSUPPORTED, "join-namespaces: container %.12s was made by another OCI runtime, and this kernel cannot "
						     "join its namespaces", k->id);
	rc = oci_container_spec(k->runtime_state, &spec, err);
	if (rc < 0)
		return rc;
	VEC_EACH(n, &spec->linux_.namespaces) {
		unsigned int kind = 1u << ns_parse(n->type);

		if (kinds & kind && !(k->left & kind))
			return err_set(err, ERR_UNSUPPORTED,
				       "join-namespaces: the %s namespace of container %.12s cannot be shared: it was made for hooks or for "
				       "users of its own, or before pouchd took this kernel for one that cannot join namespaces", n->type, k->id);
	}
	return 0;
}

int share_spawn(struct keeper *k, const struct shim_spawn *request, const struct shim_frame *frame, pid_t *ret_pid, struct err *err)
{
	auto_free char *left = words(k->left);
	char *argv[] = {(char *)"pouch-shim", request->id, request->dir, *left ? left : NULL, NULL};
	struct proc_spawn spawn = {.path = "/proc/self/exe", .argv = argv, .new_session = true};
	struct proc_fd fds[SHIM_SPAWN_FDS];
	unsigned int kinds;
	int rc;

	if (str_empty(request->id) || request->id[0] == '-' || str_empty(request->dir) || request->dir[0] != '/')
		return err_set(err, ERR_INVALID, "a new shim needs an id and a directory");
	if (frame->fd_count != SHIM_SPAWN_FDS)
		return err_set(err, ERR_INVALID, "a new shim needs a connection and a listening socket");
	rc = share_mask(&request->kinds, &kinds, err);
	if (rc == 0)
		rc = check(k, kinds, err);
	if (rc < 0)
		return rc;
	for (int i = 0; i < SHIM_SPAWN_FDS; i++)
		fds[i] = (struct proc_fd){frame->fds[i], SHIM_FIRST_FD + i};
	spawn.fds = fds;
	spawn.fd_count = ARRAY_SIZE(fds);
	return proc_spawn(&spawn, ret_pid, err);
}
