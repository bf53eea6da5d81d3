/*
 * t_json.c - JSON by field tables
 */
#include "tests/unit/unit.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/json.h"
#include "compat/base/str.h"

static struct err err;

struct port {
	char *key;
	char *ip;
	struct opt_u64 host;
};

struct thing {
	char *id;
	bool flag;
	int32_t small;
	uint16_t port;
	int64_t big;
	uint64_t huge;
	double real;
	struct opt_bool maybe;
	int64_t created;
	struct strv command;
	struct strv volumes;
	struct strmap labels;
	struct port first;
	struct port *extra;
	VEC(struct port) ports;
	VEC(struct port) bindings;
	char *raw;
	char *secret;
	char *server;
	int celsius;
};

static const struct json_field port_fields[] = {
	JSON_FIELD(struct port, ip, "HostIp", JSON_STR, 0),
	JSON_FIELD(struct port, host, "HostPort", JSON_OPT_U64, 0),
};
static const struct json_table port_table = JSON_MAP_TABLE("port", struct port, port_fields, key);

/* "21C" */
static int celsius_parse(void *member, struct json_object *value, struct err *e)
{
	const char *s = json_object_get_string(value);
	char *end;

	*(int *)member = (int)strtol(s, &end, 10);
	return strcmp(end, "C") ? err_set(e, ERR_INVALID, "'%s' is not a temperature", s) : 0;
}

static void celsius_print(const void *member, struct buf *out)
{
	buf_fmt(out, "\"%dC\"", *(const int *)member);
}

static void celsius_clear(void *member)
{
	*(int *)member = 0;
}

static bool celsius_is_empty(const void *member)
{
	return *(const int *)member == 0;
}

static const struct json_ops celsius_ops = {celsius_parse, celsius_print, celsius_clear,
					    celsius_is_empty};

static const struct json_field thing_fields[] = {
	JSON_FIELD(struct thing, id, "Id", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct thing, flag, "Flag", JSON_BOOL, 0),
	JSON_FIELD(struct thing, small, "Small", JSON_I32, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, port, "Port", JSON_U16, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, big, "Big", JSON_I64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, huge, "Huge", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, real, "Real", JSON_DOUBLE, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, maybe, "Maybe", JSON_OPT_BOOL, 0),
	JSON_FIELD(struct thing, created, "Created", JSON_TIME, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, command, "Cmd", JSON_STRV, JSON_ONE_OR_MANY | JSON_NULL_EMPTY),
	JSON_FIELD(struct thing, volumes, "Volumes", JSON_SETMAP, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, labels, "Labels", JSON_STRMAP, JSON_OMIT_EMPTY),
	JSON_SUB(struct thing, first, "First", JSON_OBJ, JSON_OMIT_EMPTY, &port_table),
	JSON_SUB(struct thing, extra, "Extra", JSON_OBJP, JSON_OMIT_EMPTY, &port_table),
	JSON_SUB(struct thing, ports, "Ports", JSON_VEC, JSON_OMIT_EMPTY, &port_table),
	JSON_SUB(struct thing, bindings, "Bindings", JSON_OBJMAP, JSON_OMIT_EMPTY, &port_table),
	JSON_FIELD(struct thing, raw, "Raw", JSON_RAW, JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, secret, "Secret", JSON_STR, JSON_HIDDEN | JSON_OMIT_EMPTY),
	JSON_FIELD(struct thing, server, "Server", JSON_STR, JSON_READ_ONLY | JSON_OMIT_EMPTY),
	JSON_OPS(struct thing, celsius, "Temperature", JSON_OMIT_EMPTY, &celsius_ops),
};
static const struct json_table thing_table = JSON_TABLE("thing", struct thing, thing_fields);

static int parse(const char *text, unsigned int flags, struct thing *ret)
{
	return json_parse(&thing_table, text, strlen(text), flags, "body", ret, &err);
}

static void assert_prints(const struct thing *t, unsigned int flags, const char *want)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;

	json_print(&thing_table, t, flags, &out);
	assert_string_equal(out.data, want);
}

static const char full[] =
	"{\"Id\":\"a\",\"Flag\":true,\"Small\":-2147483648,\"Port\":65535,\"Big\":-9223372036854775808,"
	"\"Huge\":18446744073709551615,\"Real\":0.1,\"Maybe\":false,"
	"\"Created\":\"2024-01-02T03:04:05.000000006Z\",\"Cmd\":[\"sh\",\"-c\"],\"Volumes\":{\"/v\":{}},"
	"\"Labels\":{\"k\":\"v\",\"\":\"\"},\"First\":{\"HostIp\":\"::\",\"HostPort\":0},"
	"\"Extra\":{\"HostIp\":\"\"},\"Ports\":[{\"HostIp\":\"x\"},{\"HostIp\":\"\",\"HostPort\":7}],"
	"\"Bindings\":{\"80/tcp\":{\"HostIp\":\"y\"}},\"Raw\":{\"a\":[1,2.50,null,\"/\"]},"
	"\"Temperature\":\"21C\"}";

static void every_type_goes_in_and_out(void **state)
{
	struct thing t = {0}, copy = {0};

	assert_ok(parse(full, JSON_UNKNOWN_ERROR, &t));
	assert_int_equal(t.small, INT32_MIN);
	assert_true(t.big == INT64_MIN);
	assert_true(t.huge == UINT64_MAX);
	assert_true(t.maybe.set && !t.maybe.v);
	assert_true(t.first.host.set && t.first.host.v == 0);
	assert_false(t.extra->host.set);
	assert_string_equal(t.bindings.v[0].key, "80/tcp");
	assert_prints(&t, 0, full);
	json_copy(&thing_table, &copy, &t);
	json_copy(&thing_table, &copy, &t);
	json_copy(&thing_table, &copy, &copy);
	json_clear(&thing_table, &t);
	assert_true(json_is_empty(&thing_table, &t));
	assert_prints(&copy, 0, full);
	json_clear(&thing_table, &copy);
}

static void defaults_stay_where_the_text_is_silent_or_null(void **state)
{
	struct thing t = {.big = 5, .small = 6};

	strv_add(&t.command, "default");
	assert_ok(parse("{\"Id\":\"a\",\"Cmd\":null,\"Small\":null,\"Maybe\":null}", 0, &t));
	assert_int_equal(t.big, 5);
	assert_int_equal(t.small, 6);
	assert_int_equal(t.command.n, 1);
	json_clear(&thing_table, &t);
	strv_add(&t.command, "default");
	assert_ok(parse("{\"Id\":\"a\",\"Cmd\":[]}", 0, &t));
	assert_int_equal(t.command.n, 0);
	json_clear(&thing_table, &t);
}

static void keys_match_exactly_first_then_without_case(void **state)
{
	struct thing t = {0};

	assert_ok(parse("{\"id\":\"low\",\"CMD\":\"one\"}", 0, &t));
	assert_string_equal(t.id, "low");
	assert_int_equal(t.command.n, 1);
	assert_string_equal(t.command.v[0], "one");
	json_clear(&thing_table, &t);
	assert_ok(parse("{\"Id\":\"a\",\"iD\":\"b\",\"Other\":1}", 0, &t));
	json_clear(&thing_table, &t);
	assert_refused(parse("{\"Id\":\"a\",\"Other\":1}", JSON_UNKNOWN_ERROR, &t), ERR_INVALID);
	assert_string_equal(err.msg, "body: Other: unknown key");
}

static void a_wrong_value_is_refused_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{"{\"Id\":1}", "body: Id: must be a string, is a number"},
		{"{\"Flag\":true}", "body: Id: is missing"},
		{"{\"Id\":null}", "body: Id: is missing"},
		{"[]", "body: must be an object, is a list"},
		{"null", "body: must be an object, is null"},
		{"{\"Id\":\"a\",\"Flag\":1}", "body: Flag: must be a boolean, is a number"},
		{"{\"Id\":\"a\",\"Small\":2147483648}",
		 "body: Small: 2147483648 is not between -2147483648 and 2147483647"},
		{"{\"Id\":\"a\",\"Port\":-1}", "body: Port: -1 is not between 0 and 65535"},
		{"{\"Id\":\"a\",\"Big\":1.5}", "body: Big: must be a whole number, is 1.5"},
		{"{\"Id\":\"a\",\"Big\":\"1\"}", "body: Big: must be a whole number, is a string"},
		{"{\"Id\":\"a\",\"Big\":9223372036854775808}",
		 "body: Big: 9223372036854775808 is not between -9223372036854775808 and "
		 "9223372036854775807"},
		{"{\"Id\":\"a\",\"Cmd\":[\"x\",[]]}", "body: Cmd[1]: must be a string, is a list"},
		{"{\"Id\":\"a\",\"Ports\":[{},{\"HostPort\":true}]}",
		 "body: Ports[1].HostPort: must be a whole number, is a boolean"},
		{"{\"Id\":\"a\",\"Bindings\":{\"80\":[]}}",
		 "body: Bindings.80: must be an object, is a list"},
		{"{\"Id\":\"a\",\"Volumes\":{\"v\":1}}", "body: Volumes.v: must be an object, is a number"},
		{"{\"Id\":\"a\",\"Created\":\"now\"}", "body: Created: 'now' is not a time (RFC 3339)"},
		{"{\"Id\":\"a\",\"Temperature\":\"9F\"}",
		 "body: Temperature: '9F' is not a temperature"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct thing t = {0};

		assert_refused(parse(cases[i][0], 0, &t), ERR_INVALID);
		assert_string_equal(err.msg, cases[i][1]);
		assert_true(json_is_empty(&thing_table, &t));
	}
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", " ", "{", "}", "{\"Id\":\"a\"", "{\"Id\":\"a\"}}", "{\"Id\":\"a\"} x",
		"{\"Id\":\"a\",}", "{Id:\"a\"}", "{'Id':'a'}", "{\"Id\":'a'}", "{\"Id\":\"a\" \"b\"}",
		"/* c */{\"Id\":\"a\"}", "{\"Id\":\"a\"} // c", "{\"Id\":\"\\u0000\"}",
		"{\"Id\\u0000x\":\"a\"}", "{\"Id\":\"\\x\"}", "{\"Id\":\"a\nb\"}", "{\"Id\":NaN}",
		"{\"Id\":\"a\",\"Real\":NaN}", "{\"Id\":\"a\",\"Real\":Infinity}",
		"{\"Id\":\"a\",\"Real\":-Infinity}", "{\"Id\":\"a\",\"Big\":01}", "{\"Id\":\"a\",\"Big\":-}",
		"{\"Id\":\"a\",\"Flag\":True}", "{\"Id\":\"a\",\"Flag\":tru}",
		"{\"Id\":\"a\",\"Huge\":18446744073709551616}",
		"{\"Id\":\"a\",\"Big\":-9223372036854775809}", "nul", "\"", "[1,2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct thing t = {0};

		if (parse(wrong[i], 0, &t) == 0)
			fail_msg("accepted: %s", wrong[i]);
		assert_true(err.kind == ERR_INVALID);
	}
	{
		struct thing t = {0};

		/* An escaped backslash in front of u0000 is text. */
		assert_ok(parse("  {\"Id\":\"\\\\u0000\"}\r\n\t ", 0, &t));
		assert_string_equal(t.id, "\\u0000");
		json_clear(&thing_table, &t);
	}
}

static void ceilings_hold_before_memory_is_spent(void **state)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct json_object *tree = NULL;
	struct thing t = {0};

	buf_str(&text, "{\"Id\":\"a\",\"Cmd\":[");
	for (int i = 0; i < JSON_MAX_ELEMENTS; i++)
		buf_str(&text, i ? ",\"\"" : "\"\"");
	buf_str(&text, "]}");
	assert_refused(json_parse(&thing_table, text.data, text.len, 0, "body", &t, &err),
		       ERR_TOO_LARGE);
	assert_ok(json_parse(&thing_table, text.data, text.len, JSON_LARGE, "body", &t, &err));
	assert_int_equal(t.command.n, JSON_MAX_ELEMENTS);
	json_clear(&thing_table, &t);

	buf_reset(&text);
	for (int i = 0; i < JSON_MAX_DEPTH + 1; i++)
		buf_char(&text, '[');
	for (int i = 0; i < JSON_MAX_DEPTH + 1; i++)
		buf_char(&text, ']');
	assert_refused(json_tree_parse(text.data, text.len, "tree", &tree, &err), ERR_TOO_LARGE);
	assert_ok(json_tree_parse(text.data + 2, text.len - 4, "tree", &tree, &err));
	json_tree_put(tree);
	/* Elements in strings are none. */
	buf_reset(&text);
	buf_char(&text, '"');
	for (int i = 0; i < 2 * JSON_MAX_ELEMENTS; i++)
		buf_str(&text, ",{[\\\"");
	buf_char(&text, '"');
	assert_ok(json_tree_parse(text.data, text.len, "tree", &tree, &err));
	json_tree_put(tree);
}

static void flags_decide_what_is_printed_and_read(void **state)
{
	struct thing t = {0};

	assert_ok(parse("{\"Id\":\"a\",\"Secret\":\"s\",\"Server\":\"x\"}", 0, &t));
	assert_null(t.server);
	t.server = xstrdup("y");
	assert_prints(&t, 0, "{\"Id\":\"a\",\"Flag\":false,\"Cmd\":null,\"Server\":\"y\"}");
	assert_prints(&t, JSON_PRINT_HIDDEN,
		      "{\"Id\":\"a\",\"Flag\":false,\"Cmd\":null,\"Secret\":\"s\",\"Server\":\"y\"}");
	strv_add(&t.command, "x");
	assert_prints(&t, JSON_PRINT_PRETTY,
		      "{\n  \"Id\": \"a\",\n  \"Flag\": false,\n  \"Cmd\": [\n    \"x\"\n  ],\n"
		      "  \"Server\": \"y\"\n}");
	json_clear(&thing_table, &t);
}

static void lists_stand_at_the_top(void **state)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	VEC(struct port) v = {0};
	static const char text[] = "[{\"HostIp\":\"a\"},{\"HostIp\":\"b\",\"HostPort\":1}]";

	assert_ok(json_parse_vec(&port_table, text, strlen(text), 0, "list", &v, &err));
	assert_int_equal(v.n, 2);
	json_print_vec(&port_table, &v, 0, &out);
	assert_string_equal(out.data, text);
	json_clear_vec(&port_table, &v);
	assert_ok(json_parse_vec(&port_table, "null", 4, 0, "list", &v, &err));
	assert_int_equal(v.n, 0);
	assert_refused(json_parse_vec(&port_table, "[{},1]", 6, 0, "list", &v, &err), ERR_INVALID);
	assert_string_equal(err.msg, "list: [1]: must be an object, is a number");
	assert_int_equal(v.n, 0);
	buf_reset(&out);
	json_print_vec(&port_table, &v, JSON_PRINT_PRETTY, &out);
	assert_string_equal(out.data, "[]");
}

static void strings_are_escaped_and_made_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *json;
	} cases[] = {
		{"", 0, "\"\""},
		{"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
		{"\n\r\t\b\x01\x1f\x7f", 7, "\"\\n\\r\\t\\u0008\\u0001\\u001f\x7f\""},
		{"\0x", 2, "\"\\u0000x\""},
		{"caf\xc3\xa9 \xf0\x9f\x98\x80", 10, "\"caf\xc3\xa9 \xf0\x9f\x98\x80\""},
		{"\xc2\x9b" "2J\xc2\xa0", 6, "\"\\u009b2J\xc2\xa0\""},
		{"\xff", 1, "\"\xef\xbf\xbd\""},
		{"\xc3", 1, "\"\xef\xbf\xbd\""},
		{"\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"abcdefgh\"jklmnopq\\stuvwx\x80z1234567890", 36,
		 "\"abcdefgh\\\"jklmnopq\\\\stuvwx\xef\xbf\xbdz1234567890\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf_clear) struct buf out = BUF_INIT;

		json_print_str(&out, cases[i].text, cases[i].len);
		assert_string_equal(out.data, cases[i].json);
	}
	/* Every byte at every place of an eight-byte step. */
	for (int c = 1; c < 256; c++) {
		for (int at = 0; at < 16; at++) {
			AUTO(buf_clear) struct buf out = BUF_INIT;
			char text[17] = "aaaaaaaaaaaaaaaa";
			bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

			text[at] = (char)c;
			json_print_str(&out, text, 16);
			assert_int_equal(out.len == 18 && out.data[at + 1] == (char)c, plain);
		}
	}
}

static void trees_are_reached_by_path(void **state)
{
	static const char text[] = "{\"a\":{\"b\":{\"c\":\"x\",\"n\":1}}}";
	struct json_object *tree;

	assert_ok(json_tree_parse(text, strlen(text), "tree", &tree, &err));
	assert_string_equal(json_tree_str(tree, "a.b.c"), "x");
	assert_null(json_tree_str(tree, "a.b.n"));
	assert_null(json_tree_str(tree, "a.b.c.d"));
	assert_null(json_tree_get(tree, "a.x"));
	assert_non_null(json_tree_get(tree, "a.b"));
	json_tree_put(tree);
	json_tree_put(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_goes_in_and_out),
		cmocka_unit_test(defaults_stay_where_the_text_is_silent_or_null),
		cmocka_unit_test(keys_match_exactly_first_then_without_case),
		cmocka_unit_test(a_wrong_value_is_refused_with_its_place),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(ceilings_hold_before_memory_is_spent),
		cmocka_unit_test(flags_decide_what_is_printed_and_read),
		cmocka_unit_test(lists_stand_at_the_top),
		cmocka_unit_test(strings_are_escaped_and_made_utf8),
		cmocka_unit_test(trees_are_reached_by_path),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
