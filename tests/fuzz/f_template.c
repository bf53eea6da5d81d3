/*
 * f_template - Go templates: the input's first line is the template, the rest is JSON (or a fixed object)
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/template.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char fixed[] = "{\"Id\":\"a\",\"Args\":[\"x\",\"y\"],\"State\":{\"Pid\":1},\"Mounts\":[{\"RW\":true}],"
				    "\"Config\":{\"Labels\":{\"k\":\"v\"}}}";
	const uint8_t *line = memchr(data, '\n', size);
	size_t n = line ? (size_t)(line - data) : size;
	auto_free char *text = xstrndup((const char *)data, n);
	AUTO(template_free) struct template *t = NULL;
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct json_object *tree = NULL;
	struct err err = ERR_INIT;

	if (template_parse(text, &t, &err) < 0)
		return 0;
	if (json_tree_parse(fixed, sizeof(fixed) - 1, "data", &tree, &err) == 0)
		(void)template_run(t, tree, &api_container_table, &out, &err);
	json_tree_put(tree);
	tree = NULL;
	if (line && json_tree_parse(line + 1, size - n - 1, "data", &tree, &err) == 0)
		(void)template_run(t, tree, NULL, &out, &err);
	json_tree_put(tree);
	return 0;
}
