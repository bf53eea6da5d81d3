/*
 * f_api - bodies of requests and answers: what parses prints, and what it printed parses to the same text again
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/api/container.h"
#include "runtime/api/exec.h"
#include "runtime/api/image.h"
#include "runtime/api/network.h"
#include "runtime/api/stream.h"
#include "runtime/api/system.h"
#include "runtime/api/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_table *const tables[] = {
	&api_container_create_table, &api_container_update_table, &api_container_upgrade_table, &api_container_table,
	&api_container_summary_table, &api_top_table, &api_wait_table, &api_exec_create_table, &api_exec_start_table,
	&api_exec_table, &api_image_summary_table, &api_image_table, &api_network_create_table, &api_network_table,
	&api_network_connect_table, &api_volume_create_table, &api_volume_list_table, &api_progress_table,
	&api_event_table, &api_version_table, &api_info_table, &api_auth_config_table,
};

static void check(const struct json_table *table, const uint8_t *data, size_t size)
{
	AUTO(buf_clear) struct buf first = BUF_INIT, second = BUF_INIT;
	auto_free void *value = xcalloc(1, table->size), *again = xcalloc(1, table->size), *copy = xcalloc(1, table->size);
	struct err err = ERR_INIT;

	if (json_parse(table, data, size, 0, "body", value, &err) < 0)
		return;
	json_print(table, value, 0, &first);
	if (json_parse(table, first.data, first.len, 0, "printed body", again, &err) < 0)
		abort();
	json_copy(table, copy, again);
	json_print(table, copy, 0, &second);
	if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	json_clear(table, value);
	json_clear(table, again);
	json_clear(table, copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536)
		return 0;
	check(tables[data[0] % ARRAY_SIZE(tables)], data + 1, size - 1);
	return 0;
}
