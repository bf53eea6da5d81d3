/*
 * f_api_words - ports, mounts, limits, environments as people write them; the first byte picks the parser
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/api/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(unsigned int which, const char *text, struct api_container_create *c)
{
	struct api_host_config *h = &c->host_config;
	struct api_resources *r = &h->resources;
	struct api_detach_keys keys;
	struct err err = ERR_INIT;

	switch (which % 16) {
	case 0:
		(void)api_parse_publish(text, &c->config.exposed_ports, &h->port_bindings, &err);
		break;
	case 1:
		(void)api_parse_expose(text, &c->config.exposed_ports, &err);
		break;
	case 2:
		(void)api_parse_volume(text, &c->config.volumes, &h->binds, &err);
		break;
	case 3:
		(void)api_parse_mount(text, VEC_ADD(&h->mounts), &err);
		break;
	case 4:
		(void)api_parse_tmpfs(text, &h->tmpfs, &err);
		break;
	case 5:
		(void)api_parse_ulimit(text, VEC_ADD(&r->ulimits), &err);
		break;
	case 6:
		(void)api_parse_device(text, VEC_ADD(&r->devices), &err);
		break;
	case 7:
		(void)api_parse_throttle(text, true, VEC_ADD(&r->blkio_device_read_bps), &err);
		(void)api_parse_throttle(text, false, VEC_ADD(&r->blkio_device_read_iops), &err);
		break;
	case 8:
		(void)api_parse_weight(text, VEC_ADD(&r->blkio_weight_device), &err);
		break;
	case 9:
		(void)api_parse_restart(text, &h->restart_policy, &err);
		break;
	case 10:
		(void)api_parse_pair(text, true, "value", &c->config.labels, &err);
		break;
	case 11:
		(void)api_parse_disk_quota(text, &c->config.disk_quota, &err);
		break;
	case 12:
		(void)api_parse_cpus(text, &r->nano_cpus, &err);
		break;
	case 13:
		(void)api_parse_env_file(text, "file", &c->config.env, &err);
		break;
	case 14:
		(void)api_parse_csv(text, &c->config.env, &err);
		break;
	case 15:
		(void)api_parse_detach_keys(text, &keys, &err);
		(void)api_parse_extra_host(text, &h->extra_hosts, &err);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_container_create c = {0};
	auto_free char *text = NULL;

	if (size < 1 || size > 4096)
		return 0;
	text = xstrndup((const char *)data + 1, size - 1);
	parse(data[0], text, &c);
	json_clear(&api_container_create_table, &c);
	return 0;
}
