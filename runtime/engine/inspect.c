/*
 * inspect - what the API tells about one container.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/engine/exec.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/mounts.h"
#include "runtime/engine/network.h"
#include "runtime/engine/status.h"

static void show_driver(struct engine *e, struct container *c, struct api_container *ret)
{
	const char *merged;

	str_set(&ret->driver, c->rec.driver);
	str_set(&ret->graph_driver.name, c->rec.driver);
	if (storage_rootfs_info(e->storage, c->id, &ret->graph_driver.data, &ERR_INIT) < 0)
		return;	/* being removed */
	ret->snapshotter = xcalloc(1, sizeof(*ret->snapshotter));
	str_set(&ret->snapshotter->name, c->rec.driver);
	strmap_copy(&ret->snapshotter->data, &ret->graph_driver.data);
	merged = strmap_get(&ret->graph_driver.data, "MergedDir");
	str_set(&ret->host_root_path, merged);
}

static void show_size(struct engine *e, struct container *c, struct api_container *ret)
{
	AUTO(image_put) struct image *image = NULL;
	uint64_t bytes, inodes;

	if (storage_rootfs_usage(e->storage, c->id, &bytes, &inodes, &ERR_INIT) < 0)
		return;
	ret->size_rw = (struct opt_i64){true, (int64_t)bytes};
	ret->size_root_fs = ret->size_rw;
	if (image_find(e->images, c->rec.image_id, &image, &ERR_INIT) == 0)
		ret->size_root_fs.v += image->size;
}

int container_inspect(struct engine *e, const char *ref, enum dialect dialect, bool size,
		      struct api_container *ret, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	const struct container_record *r;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	exec_list(e, c->id, &ret->exec_ids);
	pthread_mutex_lock(&c->lock);
	r = &c->rec;
	str_set(&ret->id, c->id);
	ret->created = r->created;
	str_set(&ret->path, r->path);
	strv_add_all(&ret->args, &r->args);
	json_copy(&api_container_state_table, &ret->state, &r->state);
	str_set(&ret->state.status, status_word(r, dialect));
	str_set(&ret->image, r->image_id);
	ret->resolv_conf_path = container_path(c, "resolv.conf");
	ret->hostname_path = container_path(c, "hostname");
	ret->hosts_path = container_path(c, "hosts");
	str_set(&ret->log_path, r->log_path);
	ret->name = xfmt("%s%s", dialect == DIALECT_DOCKER ? "/" : "", r->name);
	ret->restart_count = r->restart_count;
	str_set(&ret->platform, "linux");
	str_set(&ret->mount_label, r->mount_label);
	str_set(&ret->process_label, r->process_label);
	str_set(&ret->app_armor_profile, r->app_armor);
	json_copy(&api_host_config_table, &ret->host_config, &r->host);
	json_copy(&api_container_config_table, &ret->config, &r->config);
	mounts_show(r, &ret->mounts.v, &ret->mounts.n);
	ret->mounts.cap = ret->mounts.n + 1;
	network_show(r, &ret->network_settings);
	pthread_mutex_unlock(&c->lock);

	show_driver(e, c, ret);
	if (size)
		show_size(e, c, ret);
	return 0;
}
