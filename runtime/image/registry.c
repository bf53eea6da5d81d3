/*
 * registry - settings that outlive those they were copied from.
 */
#include "runtime/image/registry.h"

#include <stdlib.h>

#include "compat/base/str.h"

void registry_copy_set(struct registry_copy *copy, const struct registry_settings *from)
{
	AUTO(strv_clear) struct strv insecure = {0};

	if (from && from->insecure)
		strv_add_all(&insecure, from->insecure);
	strv_clear(&copy->insecure);
	strv_add_all(&copy->insecure, &insecure);
	str_set(&copy->proxy, from ? from->proxy : NULL);
	str_set(&copy->ca_file, from ? from->ca_file : NULL);
	str_set(&copy->certs_dir, from ? from->certs_dir : NULL);
	str_set(&copy->user_agent, from ? from->user_agent : NULL);
	copy->settings = (struct registry_settings){
		.insecure = &copy->insecure,
		.proxy = copy->proxy,
		.ca_file = copy->ca_file,
		.certs_dir = copy->certs_dir,
		.user_agent = copy->user_agent,
		.patience_s = from ? from->patience_s : 0,
	};
}

void registry_copy_clear(struct registry_copy *copy)
{
	registry_copy_set(copy, NULL);
	strv_clear(&copy->insecure);
}
