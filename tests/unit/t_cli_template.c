/*
 * t_cli_template - Go templates over JSON
 */
#include "tests/unit/unit.h"

#include "cli/list.h"
#include "cli/template.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"

static const char data[] =
	"{\"Id\":\"abc\",\"N\":3,\"F\":1.5,\"T\":true,\"Z\":false,\"E\":\"\",\"L\":[\"a\",\"b\",\"c\"],\"None\":null,"
	"\"Empty\":[],\"M\":{\"k2\":\"v2\",\"k1\":\"v1\"},\"O\":{\"In\":{\"Deep\":\"x\"}},"
	"\"Rows\":[{\"Name\":\"r1\",\"V\":1},{\"Name\":\"r2\",\"V\":2}]}";

static int apply(const char *text, const char *json, const struct json_table *table, struct buf *out, struct err *err)
{
	AUTO(template_free) struct template *t = NULL;
	struct json_object *tree = NULL;
	int rc = template_parse(text, &t, err);

	if (!rc)
		rc = json_tree_parse(json, strlen(json), "data", &tree, err);
	if (!rc)
		rc = template_run(t, tree, table, out, err);
	json_tree_put(tree);
	return rc;
}

static const struct {
	const char *text, *expected;
} good[] = {
	{ "plain", "plain" },
	{ "{{.Id}}", "abc" },
	{ "{{.ID}} {{.id}}", "abc abc" },
	{ "{{ .N }}|{{.F}}|{{.T}}", "3|1.5|true" },
	{ "{{.O.In.Deep}}", "x" },
	{ "{{.Nosuch}}", "<no value>" },
	{ "{{.None}}", "<nil>" },
	{ "{{.L}} {{.M}} {{.Empty}}", "[a b c] map[k1:v1 k2:v2] []" },
	{ "{{json .L}}", "[\"a\",\"b\",\"c\"]" },
	{ "{{json .O}}", "{\"In\":{\"Deep\":\"x\"}}" },
	{ "{{.L | json}}", "[\"a\",\"b\",\"c\"]" },
	{ "{{join .L \", \"}}", "a, b, c" },
	{ "{{len .L}}{{len .M}}{{len .Id}}{{len .Empty}}", "3230" },
	{ "{{index .L 1}} {{index .M \"k1\"}} {{index .Rows 1 | json}}", "b v1 {\"Name\":\"r2\",\"V\":2}" },
	{ "{{(index .Rows 0).Name}}", "r1" },
	{ "{{index .M \"nosuch\"}}", "<no value>" },
	{ "{{slice .Id 1}} {{slice .Id 0 2}} {{slice .L 1 2}}", "bc ab [b]" },
	{ "{{if .T}}yes{{else}}no{{end}}", "yes" },
	{ "{{if .Z}}1{{else if .N}}2{{else}}3{{end}}", "2" },
	{ "{{if .Z}}1{{else if .E}}2{{else}}3{{end}}", "3" },
	{ "{{if and .T .N}}a{{end}}{{if or .Z .E}}b{{end}}{{if not .Z}}c{{end}}", "ac" },
	{ "{{or .E \"else\"}} {{and .T \"both\"}}", "else both" },
	{ "{{range .L}}<{{.}}>{{end}}", "<a><b><c>" },
	{ "{{range $i, $e := .L}}{{$i}}={{$e}};{{end}}", "0=a;1=b;2=c;" },
	{ "{{range $e := .L}}{{$e}}{{end}}", "abc" },
	{ "{{range $k, $v := .M}}{{$k}}:{{$v}} {{end}}", "k1:v1 k2:v2 " },
	{ "{{range .Empty}}x{{else}}none{{end}}", "none" },
	{ "{{range .None}}x{{else}}none{{end}}", "none" },
	{ "{{range .Rows}}{{.Name}}{{with .V}}{{.}}{{end}} {{end}}", "r11 r22 " },
	{ "{{range .L}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{end}}", "ac" },
	{ "{{range .L}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}", "a" },
	{ "{{range 3}}{{.}}{{end}}", "012" },
	{ "{{with .O.In}}{{.Deep}}{{$.Id}}{{end}}", "xabc" },
	{ "{{with .E}}x{{else}}empty{{end}}", "empty" },
	{ "{{$x := .N}}{{$x}}{{$x = 5}}{{$x}}", "35" },
	{ "{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21" },
	{ "{{eq .N 3}}{{eq .Id \"x\" \"abc\"}}{{ne .N 3}}{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge 2 2}}", "truetruefalsetruetruefalsetrue" },
	{ "{{eq .F 1.5}}{{eq .T true}}{{eq .None nil}}", "truetruetrue" },
	{ "{{printf \"%s-%d-%v-%q-%05d-%-4s|%%\" .Id .N .T .Id .N .Id}}", "abc-3-true-\"abc\"-00003-abc |%" },
	{ "{{printf \"%.2f %x\" .F 255}}", "1.50 ff" },
	{ "{{printf \"%d\"}}", "%!d(MISSING)" },
	{ "{{print 1 2 \"a\" \"b\" 3}}{{println \"x\" 1}}", "1 2ab3x 1\n" },
	{ "{{.Id | upper}} {{lower \"ABC\"}} {{title \"a word\"}}", "ABC abc A Word" },
	{ "{{split \"a,b\" \",\"}} {{truncate .Id 2}} [{{pad .Id 1 2}}]", "[a b] ab [ abc  ]" },
	{ "{{html \"<a & 'b'>\"}} {{urlquery \"a b/c\"}}", "&lt;a &amp; &#39;b&#39;&gt; a+b%2Fc" },
	{ "a {{- .N -}} b", "a3b" },
	{ "a {{/* a comment's text }} */}}b", "a b" },
	{ "a {{- /* c */ -}} b", "ab" },
	{ "{{\"a\\n\\t\\\"\\x41\\u00e9\"}}{{`raw\\n`}}{{'a'}}", "a\n\t\"A\xc3\xa9raw\\n97" },
	{ "{{ (printf \"%s\" .Id) | len }}", "3" },
	{ "{{if (eq (len .L) 3)}}three{{end}}", "three" },
	{ "{{true}} {{-1}} {{0x10}}", "true -1 16" },
	{ "{{range .Rows}}{{range $.L}}{{.}}{{end}}{{end}}", "abcabc" },
};

static void templates_give_what_go_gives(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO(buf_clear) struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		if (apply(good[i].text, data, NULL, &out, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		assert_string_equal(buf_cstr(&out), good[i].expected);
	}
}

static void bad_templates_are_template_parsing_errors(void **state)
{
	static const char *const bad[] = {
		"{{", "{{.A", "{{}}", "{{end}}", "{{else}}", "{{if .T}}", "{{range .L}}", "{{nosuch .}}", "{{.A.}}",
		"{{if}}x{{end}}", "{{\"unclosed}}", "{{/* unclosed }}", "{{(len .L}}", "{{1x}}", "{{break}}",
		"{{define \"x\"}}{{end}}", "{{template \"x\"}}", "{{.A 1}}", "{{1 | .A}}", "{{$x}}", "{{$x = 1}}",
		"{{len}}", "{{len 1}}", "{{index .L 9}}", "{{index .L -1}}", "{{eq 1 \"a\"}}", "{{lt .L .L}}", "{{.Id.X}}",
		"{{range .T}}{{end}}", "{{.None.X}}", "{{slice .Id 9}}", "{{printf \"%999999d\" 1}}", "{{'ab'}}",
		"{{if .T}}{{else}}{{else}}{{end}}", "{{range 99999999}}{{end}}", "{{.A|}}", "{{|}}", "{{$a, $b, $c := .L}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(buf_clear) struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		if (apply(bad[i], data, NULL, &out, &err) == 0)
			fail_msg("%s was taken", bad[i]);
		assert_true(str_starts(err.msg, "Template parsing error"));
	}
}

static void nesting_has_a_limit(void **state)
{
	AUTO(buf_clear) struct buf text = BUF_INIT, out = BUF_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < 1000; i++)
		buf_str(&text, "{{if .T}}");
	assert_refused(apply(text.data, data, NULL, &out, &err), ERR_INVALID);
	buf_reset(&text);
	buf_str(&text, "{{");
	for (int i = 0; i < 1000; i++)
		buf_char(&text, '(');
	buf_str(&text, "}}");
	assert_refused(apply(text.data, data, NULL, &out, &err), ERR_INVALID);
}

/* With a table, names that Go's struct has are known even where JSON leaves them out. */
static void fields_of_a_struct_are_checked_by_its_table(void **state)
{
	static const char container[] =
		"{\"Id\":\"1\",\"Name\":\"/x\",\"HostConfig\":{\"CpuShares\":5,\"Dns\":[\"1.1.1.1\"],"
		"\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"a\":\"b\"}}},\"Config\":{\"Labels\":{\"k\":\"v\"}},"
		"\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"IPAddress\":\"10.0.0.2\"}}}}";
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "{{.ID}} {{.HostConfig.CPUShares}} {{.HostConfig.DNS}}", "1 5 [1.1.1.1]" },
		{ "{{.HostConfig.LogConfig.LogDriver}} {{.HostConfig.LogConfig.LogOpts.a}}", "json-file b" },
		{ "[{{.Config.Domainname}}] {{.HostConfig.Memory}} {{.HostConfig.Privileged}}", "[] 0 false" },
		{ "{{.Config.Env}} {{.HostConfig.Sysctls}}", "[] map[]" },
		{ "{{.Config.Labels.k}} {{.Config.Labels.nosuch}}", "v <no value>" },
		{ "{{.NetworkSettings.Networks.bridge.IPAddress}}", "10.0.0.2" },
		{ "{{range $n, $e := .NetworkSettings.Networks}}{{$n}}={{$e.IPAddress}}{{end}}", "bridge=10.0.0.2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_clear) struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		if (apply(rows[i].text, container, &api_container_table, &out, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_string_equal(buf_cstr(&out), rows[i].expected);
	}
	{
		AUTO(buf_clear) struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		assert_refused(apply("{{.Nosuch}}", container, &api_container_table, &out, &err), ERR_INVALID);
		assert_refused(apply("{{.HostConfig.Nosuch}}", container, &api_container_table, &out, &err), ERR_INVALID);
		assert_refused(apply("{{.NetworkSettings.Networks.bridge.No}}", container, &api_container_table, &out,
				     &err), ERR_INVALID);
	}
}

static void json_is_indented_by_four_spaces(void **state)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;

	json_indent("[{\"a\":[1,2],\"b\":{},\"c\":\"x:{\\\",\",\"d\":[]}]", &out);
	assert_string_equal(out.data, "[\n    {\n        \"a\": [\n            1,\n            2\n        ],\n"
				      "        \"b\": {},\n        \"c\": \"x:{\\\",\",\n        \"d\": []\n    }\n]");
}

static void rows_are_printed_by_template_and_as_a_table(void **state)
{
	static const char *const titles[] = {"ID=CONTAINER ID", "Names=NAMES", NULL};
	AUTO(list_clear) struct list list = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	list_row(&list);
	list_set(&list, "ID", "1");
	list_set(&list, "Names", "one");
	list_row(&list);
	list_set(&list, "ID", "22");
	list_set(&list, "Names", "two");
	assert_ok(list_format(&list, "{{.Names}}", titles, &out, &err));
	assert_string_equal(out.data, "one\ntwo\n");
	buf_reset(&out);
	assert_ok(list_format(&list, "table {{.ID}}\\t{{.Names}}", titles, &out, &err));
	assert_string_equal(out.data, "CONTAINER ID   NAMES\n1              one\n22             two\n");
	buf_reset(&out);
	assert_ok(list_format(&list, "json", titles, &out, &err));
	assert_string_equal(out.data, "{\"ID\":\"1\",\"Names\":\"one\"}\n{\"ID\":\"22\",\"Names\":\"two\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_give_what_go_gives),
		cmocka_unit_test(bad_templates_are_template_parsing_errors),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(fields_of_a_struct_are_checked_by_its_table),
		cmocka_unit_test(json_is_indented_by_four_spaces),
		cmocka_unit_test(rows_are_printed_by_template_and_as_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
