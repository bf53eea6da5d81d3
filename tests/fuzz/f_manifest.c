/*
 * f_manifest - manifests, indexes and image configurations from a hostile registry
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/image/internal.h"
#include "runtime/image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const uint8_t *data, size_t size)
{
	AUTO(manifest_clear) struct manifest m = {0};
	const struct descriptor *picked = NULL;
	struct platform host;
	struct err err = ERR_INIT;

	if (manifest_parse(data, size, NULL, &m, &err) < 0) {
		if (!err.msg[0])
			abort();
		return;
	}
	VEC_EACH(l, &m.layers) {
		if (!digest_is_valid(l->digest) || l->size < 0)
			abort();
	}
	if (!m.is_index) {
		if (!digest_is_valid(m.config.digest))
			abort();
		return;
	}
	if (platform_parse("linux/amd64", &host, NULL) == 0 && manifest_pick(&m, &host, &picked, &err) == 0 &&
	    !digest_is_valid(picked->digest))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(draft_clear) struct image_draft d = {0};

	check_manifest(data, size);
	buf_add(&d.config, data, size);
	if (draft_parse(&d, NULL) == 0) {
		STRV_EACH(id, &d.parsed.rootfs.diff_ids) {
			if (!digest_is_valid(*id))
				abort();
		}
	}
	return 0;
}
