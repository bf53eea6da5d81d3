/*
 * spec - from a container's record to the config.json that its runtime reads.
 */
#ifndef RUNTIME_ENGINE_SPEC_H
#define RUNTIME_ENGINE_SPEC_H

#include "runtime/engine/container.h"
#include "runtime/oci/spec.h"

/*
 * Docker's defaults: mounts, masked paths, capabilities, seccomp profile, devices.
 *
 * @rootfs	mounted root file system: users and groups are looked up there
 * @ret		zeroed; oci_spec_clear()
 */
int spec_build(struct engine *e, struct container *c, const char *rootfs, struct oci_spec *ret, struct err *err);

/* The process of an exec: who, with what environment and rights. */
int spec_exec_process(struct engine *e, struct container *c, const struct api_exec_create *create,
		      struct oci_process *ret, struct err *err);

/* Parts, each in a file of its own. */
int spec_mounts(struct engine *e, struct container *c, struct oci_spec *spec, struct err *err);
int spec_devices(struct container *c, struct oci_spec *spec, struct err *err);
int spec_security(struct container *c, struct oci_spec *spec, struct err *err);
int spec_namespaces(struct engine *e, struct container *c, struct oci_spec *spec, struct err *err);
uint64_t spec_caps(const struct container_record *r);
/* Those of an exec. */
uint64_t spec_exec_caps(const struct container_record *r, bool privileged);

/* The value of PATH that the container's program is looked up in. */
const char *spec_path(const struct container_record *r);

/* Does the container run under pouch-init? */
bool spec_wants_init(const struct container_record *r);
/* Where the files of the network that it sees lie: its own directory, or that of the container whose network it shares. Owned. */
int spec_network_dir(struct engine *e, struct container *c, char **ret, struct err *err);

#define SPEC_INIT_PATH "/dev/pouch-init"

#endif
