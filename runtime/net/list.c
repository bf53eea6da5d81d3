/*
 * list.c - networks as they are shown
 */
#include <errno.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

static void describe_fixed(const struct net *net, const char *id, const char *name, const char *driver,
			   struct net_info *ret)
{
	ret->id = xstrdup(id);
	ret->name = xstrdup(name);
	ret->driver = xstrdup(driver);
	ret->scope = xstrdup("local");
	ret->created_ns = net->started_ns;
}

int net_list(struct net *net, net_info_vec *ret, struct err *err)
{
	pthread_mutex_lock(&net->lock);
	VEC_EACH(n, &net->networks) {
		struct net_info *info = VEC_ADD(ret);

		json_copy(&net_info_table, info, &(*n)->info);
		VEC_EACH(ep, &net->endpoints) {
			if (str_eq((*ep)->network_id, info->id))
				json_copy(&net_endpoint_table, VEC_ADD(&info->endpoints), *ep);
		}
	}
	pthread_mutex_unlock(&net->lock);
	describe_fixed(net, net->host_id, "host", "host", VEC_ADD(ret));
	describe_fixed(net, net->none_id, "none", "null", VEC_ADD(ret));
	return 0;
}

int net_find(struct net *net, const char *name, struct net_info *ret, struct err *err)
{
	AUTO(net_infos_clear) net_info_vec all = {0};
	struct net_info *found = NULL;
	int rc = net_list(net, &all, err);

	if (rc < 0)
		return rc;
	if (str_eq(name, "default"))
		name = "bridge";
	VEC_EACH(info, &all) {
		if (str_eq(info->name, name) || str_eq(info->id, name))
			found = info;
	}
	for (size_t i = 0; !found && !str_empty(name) && i < all.n; i++) {
		if (!str_starts(all.v[i].id, name))
			continue;
		for (size_t k = i + 1; k < all.n; k++) {
			if (str_starts(all.v[k].id, name))
				return err_set(err, ERR_CONFLICT, "network '%s' is ambiguous", name);
		}
		found = &all.v[i];
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "network '%s' not found", name ? name : "");
	*ret = *found;
	*found = (struct net_info){0};
	return 0;
}
