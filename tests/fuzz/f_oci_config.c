/*
 * f_oci_config.c - config.json and process.json from anybody: refused or accepted, and what is accepted prints and parses again
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/oci/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(oci_spec_clear) struct oci_spec spec = {0};
	AUTO(oci_spec_clear) struct oci_spec again = {0};
	AUTO(oci_process_clear) struct oci_process process = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(buf_clear) struct buf text_again = BUF_INIT;
	struct err err = ERR_INIT;

	(void)oci_process_parse(data, size, &process, &err);
	if (oci_spec_parse(data, size, &spec, &err)) {
		if (!err.msg[0])
			abort();
		return 0;
	}
	json_print(&oci_spec_table, &spec, 0, &text);
	/* What is no UTF-8 is printed as something longer, which may then be too long. */
	for (size_t i = 0; i < size; i++)
		if (data[i] >= 0x80)
			return 0;
	if (oci_spec_parse(text.data, text.len, &again, &err))
		abort();
	json_print(&oci_spec_table, &again, 0, &text_again);
	if (strcmp(buf_cstr(&text), buf_cstr(&text_again)))
		abort();
	return 0;
}
