/*
 * f_log_record - lines of a json-file log, and text on its way to JSON and back
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log/json_text.h"
#include "runtime/log/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exact allocations, so that one byte too far is seen. */
	char *in = malloc(size + 1), *text = malloc(size + 1), *escaped = malloc(size * JSON_TEXT_GROWTH + 16);
	struct log_record rec;
	char *end, *back_end;

	memcpy(in, data, size);
	if (log_record_parse(in, in + size, text, &rec) && rec.text_len > size)
		abort();
	end = json_text_escape(escaped, in, size);
	if ((size_t)(end - escaped) > size * JSON_TEXT_GROWTH)
		abort();
	*end++ = '"';
	free(text);
	text = malloc((size_t)(end - escaped));
	if (json_text_unescape(escaped, end, text, &back_end) != end - 1)
		abort();
	if (json_text_cut(in, size) > size)
		abort();
	free(in);
	free(text);
	free(escaped);
	return 0;
}
