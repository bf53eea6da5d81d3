/*
 * h_df - what takes how much space.
 *
 * Spec:    Docker Engine API 1.41, SystemDataUsage
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/daemon/handlers.h"
#include "runtime/daemon/rows.h"

/* How many images have the layer? */
static unsigned int owners(const struct image_list *list, const char *chain_id)
{
	unsigned int n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += strv_has(&list->v[i]->chain_ids, chain_id);
	return n;
}

static void add_images(struct engine *e, const struct image_list *list, struct buf *out)
{
	AUTO(strv_clear) struct strv seen = {0};
	int64_t layers = 0;

	buf_str(out, "\"Images\":[");
	for (size_t i = 0; i < list->n; i++) {
		const struct image *image = list->v[i];
		struct api_image_summary row = {0};

		image_show_row(image, &row);
		row.shared_size = 0;
		row.containers = (int64_t)engine_image_users(e, image->id);
		for (size_t k = 0; k < image->chain_ids.n; k++) {
			if (owners(list, image->chain_ids.v[k]) > 1)
				row.shared_size += image->layer_sizes.v[k];
			if (strv_has(&seen, image->chain_ids.v[k]))
				continue;
			strv_add(&seen, image->chain_ids.v[k]);
			layers += image->layer_sizes.v[k];
		}
		if (i)
			buf_char(out, ',');
		json_print(&api_image_summary_table, &row, 0, out);
		json_clear(&api_image_summary_table, &row);
	}
	buf_fmt(out, "],\"LayersSize\":%lld", (long long)layers);
}

static int add_volumes(struct engine *e, struct buf *out, struct err *err)
{
	AUTO(volumes_clear) volume_vec list = {0};
	int rc = volume_list(engine_volumes(e), &list, err);

	buf_str(out, ",\"Volumes\":[");
	for (size_t i = 0; rc >= 0 && i < list.n; i++) {
		struct api_volume row = {0};

		volume_show(&list.v[i], &row);
		row.usage_data = xcalloc(1, sizeof(*row.usage_data));
		row.usage_data->ref_count = (int64_t)list.v[i].users.n;
		/* One that is being removed, or whose file system does not answer, is not known. */
		if (volume_usage(engine_volumes(e), list.v[i].name, &row.usage_data->size, &ERR_INIT) < 0)
			row.usage_data->size = -1;
		if (i)
			buf_char(out, ',');
		json_print(&api_volume_table, &row, 0, out);
		json_clear(&api_volume_table, &row);
	}
	buf_char(out, ']');
	return rc;
}

int handle_disk_usage(struct request *r, struct err *err)
{
	const struct container_list containers = {.all = true, .size = true, .dialect = request_dialect(r)};
	AUTO(image_list_clear) struct image_list images = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int rc = image_list(engine_images(r->engine), &images, err);

	buf_char(&out, '{');
	if (rc >= 0) {
		add_images(r->engine, &images, &out);
		buf_str(&out, ",\"Containers\":");
		rc = container_list(r->engine, &containers, &out, err);
	}
	if (rc >= 0)
		rc = add_volumes(r->engine, &out, err);
	buf_str(&out, ",\"BuildCache\":[],\"BuilderSize\":0}\n");
	return rc < 0 ? rc : reply_text(r, 200, "application/json", &out);
}
