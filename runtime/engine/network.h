/*
 * network - a container's place on a network.
 */
#ifndef RUNTIME_ENGINE_NETWORK_H
#define RUNTIME_ENGINE_NETWORK_H

#include "runtime/engine/container.h"

/* /etc/hosts and the others, before the address is known. */
int network_files(struct engine *e, struct container *c, struct err *err);
/* By the pid of a container that has been created but not started. */
int network_attach(struct engine *e, struct container *c, pid_t pid, struct err *err);
int network_detach(struct engine *e, struct container *c, struct err *err);
/* For inspect and list. */
void network_show(const struct container_record *rec, struct api_network_settings *ret);
void network_show_ports(const struct container_record *rec, struct api_container_summary *ret);

#endif
