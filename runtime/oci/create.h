/*
 * create.h - inside of create and restore: what their files share
 */
#ifndef RUNTIME_OCI_CREATE_H
#define RUNTIME_OCI_CREATE_H

#include "runtime/oci/internal.h"

struct creation {
	const struct oci_create *options;
	struct oci_container *c;
	struct oci_spec *spec;		/* c->spec */
	struct buf config;		/* config.json as it was read */
	struct seccomp_program seccomp;
	struct init init;
	char *keyring;
	int parent_sync;
	int lock;			/* of the directory, see oci_claim() */
	bool made_directory, made_cgroup, has_cgroup;
	pid_t pid;
	void *arg;			/* restore's own */
};

/* Stages; each returns 0 or -errno with @err filled in, which is never NULL here. */
int creation_check(struct creation *x, struct err *err);
int creation_directory(struct creation *x, struct err *err);
int creation_open_cgroup(struct creation *x, struct err *err);
int creation_make_cgroup(struct creation *x, struct err *err);
int creation_limits(struct creation *x, struct err *err);
int creation_save(struct creation *x, struct err *err);
int creation_pid_file(struct creation *x, struct err *err);

/* Make the control group; once: on v2 before the first process, which is born in it, else while that makes its namespaces. */
int creation_group(struct creation *x, struct err *err);

/* In create_devices.c. Must device nodes be made before the user namespace? */
bool creation_wants_devices(const struct creation *x);
/* Make them, in a mount namespace which the first process then gets a copy of: by a process that has this one job. */
int creation_devices(struct creation *x, struct err *err);

/* In create_clone.c */
int creation_namespaces(struct creation *x, struct err *err);
int creation_clone(struct creation *x, struct err *err);
int creation_map_ids(struct creation *x, struct err *err);
/* Send a message; a child that is gone has left its reason behind, which is read later. */
int creation_tell(struct creation *x, enum sync_kind kind, struct err *err);

/* Tell the caller of create; see oci_create.note. */
__attribute__((format(printf, 3, 4))) void creation_note(const struct creation *x, const char *level, const char *format, ...);

struct creation_stage {
	const char *name;	/* NULL: the messages speak for themselves */
	int (*run)(struct creation *, struct err *);
};

/* Run the stages; on failure undo all. */
int creation_run(const struct oci_create *create, const struct creation_stage *stages, size_t count, void *arg,
		 struct oci_container **ret, struct err *err);

#endif
