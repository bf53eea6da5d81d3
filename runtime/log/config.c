/*
 * config - log drivers by name, their options, and what a record carries
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/log/writer.h"

static const struct log_ops *const drivers[] = {&log_json_ops, &log_none_ops};

static const struct json_field config_fields[] = {
	JSON_FIELD(struct log_config, driver, "driver", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct log_config, path, "path", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct log_config, opts, "opts", JSON_STRMAP, JSON_OMIT_EMPTY),
	JSON_FIELD(struct log_config, attrs, "attrs", JSON_STRMAP, JSON_OMIT_EMPTY),
};
const struct json_table log_config_table = JSON_TABLE("log", struct log_config, config_fields);

int log_ops_find(const char *name, const struct log_ops **ret, struct err *err)
{
	static const char *const others[] = {"syslog", "journald", "gelf",    "fluentd",     "awslogs", "splunk",
					     "etwlogs", "gcplogs", "local", "logentries"};

	if (str_empty(name))
		name = log_json_ops.name;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (strcmp(drivers[i]->name, name))
			continue;
		*ret = drivers[i];
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(others[i], name))
			return err_set(err, ERR_UNSUPPORTED,
				       "log driver '%s' is not available; use json-file or none", name);
	return err_set(err, ERR_INVALID, "unknown log driver '%s'; use json-file or none", name);
}

bool log_driver_reads(const char *driver)
{
	struct err ignored = ERR_INIT;	/* unknown drivers do not read */
	const struct log_ops *ops;

	return log_ops_find(driver, &ops, &ignored) == 0 && ops->reads;
}

/* ---- options ----------------------------------------------------------------------------------------------------------- */

static int check_max_size(const char *value, struct err *err)
{
	int64_t bytes;

	if (!strcmp(value, "-1"))
		return 0;
	if (str_bytes(value, &bytes) < 0 || bytes <= 0)
		return err_set(err, ERR_INVALID, "log option max-size: '%s' is not a size such as 10m", value);
	return 0;
}

static int check_max_file(const char *value, struct err *err)
{
	uint32_t files;

	if (str_u32(value, 10, &files) < 0 || files < 1 || files > 1000)
		return err_set(err, ERR_INVALID, "log option max-file: '%s' is not a number from 1 to 1000", value);
	return 0;
}

static int check_compress(const char *value, struct err *err)
{
	bool on;

	if (str_bool(value, &on) < 0)
		return err_set(err, ERR_INVALID, "log option compress: '%s' is neither true nor false", value);
	if (on)
		return err_set(err, ERR_UNSUPPORTED,
			       "log option compress: rotated files are not compressed here; leave it out");
	return 0;
}

static int check_mode(const char *value, struct err *err)
{
	if (!strcmp(value, "blocking"))
		return 0;
	if (!strcmp(value, "non-blocking"))
		return err_set(err, ERR_UNSUPPORTED,
			       "log option mode: this driver has blocking mode only (a full disk drops lines, it does not block)");
	return err_set(err, ERR_INVALID, "log option mode: '%s' is neither blocking nor non-blocking", value);
}

static int check_any(const char *value, struct err *err)
{
	return 0;
}

static int check_regex(const char *value, struct err *err)
{
	regex_t re;

	if (regcomp(&re, value, REG_EXTENDED | REG_NOSUB))
		return err_set(err, ERR_INVALID, "log option: '%s' is not a regular expression", value);
	regfree(&re);
	return 0;
}

static const struct {
	const char *name;
	int (*check)(const char *value, struct err *err);
} json_options[] = {
	{"max-size", check_max_size}, {"max-file", check_max_file},   {"compress", check_compress},
	{"mode", check_mode},	      {"labels", check_any},	      {"labels-regex", check_regex},
	{"env", check_any},	      {"env-regex", check_regex},     {"tag", check_any},
};

int log_json_limits(const struct strmap *opts, int64_t *ret_max_bytes, int *ret_max_files, struct err *err)
{
	int64_t max_bytes = -1;
	uint32_t max_files = 1;
	const char *value;

	VEC_EACH(pair, opts) {
		size_t i = 0;
		int rc;

		while (i < ARRAY_SIZE(json_options) && strcmp(json_options[i].name, pair->key))
			i++;
		if (i == ARRAY_SIZE(json_options))
			return err_set(err, ERR_INVALID, "log driver json-file has no option '%s'", pair->key);
		rc = json_options[i].check(pair->val, err);
		if (rc < 0)
			return rc;
	}
	value = strmap_get(opts, "max-size");
	if (value && strcmp(value, "-1"))
		(void)str_bytes(value, &max_bytes);	/* was checked */
	value = strmap_get(opts, "max-file");
	if (value)
		(void)str_u32(value, 10, &max_files);	/* was checked */
	*ret_max_bytes = max_bytes;
	*ret_max_files = (int)max_files;
	return 0;
}

int log_config_check(const char *driver, const struct strmap *opts, struct err *err)
{
	static const struct log_subject nobody = {.id = "", .name = "", .image_id = "", .image_name = "", .daemon_name = ""};
	AUTO(strmap_clear) struct strmap attrs = {0};
	const struct log_ops *ops;
	int rc;

	rc = log_ops_find(driver, &ops, err);
	if (rc < 0)
		return rc;
	rc = ops->check(opts, err);
	if (rc < 0)
		return rc;
	return log_config_attrs(opts, &nobody, &attrs, err);
}

/* ---- attributes -------------------------------------------------------------------------------------------------------- */

static const char *short_id(const char *id, char out[13])
{
	const char *hex = id ? str_skip(id, "sha256:") : NULL;

	hex = hex ? hex : id ? id : "";
	(void)str_fmt(out, 13, "%.12s", hex);	/* fits by its precision */
	return out;
}

static int expand_tag(const char *template, const struct log_subject *s, struct buf *out, struct err *err)
{
	char id[13], image_id[13];
	const struct {
		const char *name, *value;
	} words[] = {
		{".ID", short_id(s->id, id)},
		{".FullID", s->id},
		{".Name", s->name},
		{".ImageID", short_id(s->image_id, image_id)},
		{".ImageFullID", s->image_id},
		{".ImageName", s->image_name},
		{".DaemonName", s->daemon_name},
	};
	const char *open;

	for (; (open = strstr(template, "{{")); template = strstr(open, "}}") + 2) {
		const char *close = strstr(open, "}}"), *word = open + 2;
		size_t len, i = 0;

		if (!close)
			return err_set(err, ERR_INVALID, "log option tag: '{{' without '}}'");
		while (*word == ' ')
			word++;
		for (len = (size_t)(close - word); len && word[len - 1] == ' ';)
			len--;
		while (i < ARRAY_SIZE(words) &&
		       (strlen(words[i].name) != len || memcmp(words[i].name, word, len)))
			i++;
		if (i == ARRAY_SIZE(words))
			return err_set(err, ERR_INVALID, "log option tag: unknown template '%.*s'",
				       (int)(close + 2 - open), open);
		buf_add(out, template, (size_t)(open - template));
		buf_str(out, words[i].value ? words[i].value : "");
	}
	buf_str(out, template);
	return 0;
}

struct choice {
	struct strv names;
	regex_t re;
	bool has_re;
};

static void choice_clear(struct choice *c)
{
	strv_clear(&c->names);
	if (c->has_re)
		regfree(&c->re);
}
DEFINE_AUTO_CLEAR(choice_clear, struct choice)

static int choice_init(struct choice *c, const char *names, const char *pattern, struct err *err)
{
	if (names)
		strv_split(&c->names, names, ",", false);
	if (str_empty(pattern))
		return 0;
	if (regcomp(&c->re, pattern, REG_EXTENDED | REG_NOSUB))
		return err_set(err, ERR_INVALID, "log option: '%s' is not a regular expression", pattern);
	c->has_re = true;
	return 0;
}

static bool choice_has(const struct choice *c, const char *name)
{
	return strv_has(&c->names, name) || (c->has_re && regexec(&c->re, name, 0, NULL, 0) == 0);
}

static int add_labels(const struct strmap *opts, const struct strmap *labels, struct strmap *ret, struct err *err)
{
	AUTO(choice_clear) struct choice chosen = {0};
	int rc = choice_init(&chosen, strmap_get(opts, "labels"), strmap_get(opts, "labels-regex"), err);

	if (rc < 0 || !labels)
		return rc;
	VEC_EACH(pair, labels) {
		if (choice_has(&chosen, pair->key))
			strmap_set(ret, pair->key, pair->val);
	}
	return 0;
}

static int add_env(const struct strmap *opts, const struct strv *env, struct strmap *ret, struct err *err)
{
	AUTO(choice_clear) struct choice chosen = {0};
	int rc = choice_init(&chosen, strmap_get(opts, "env"), strmap_get(opts, "env-regex"), err);

	if (rc < 0 || !env)
		return rc;
	STRV_EACH(var, env) {
		const char *equals = strchr(*var, '=');
		auto_free char *key = xstrndup(*var, equals ? (size_t)(equals - *var) : strlen(*var));

		if (equals && choice_has(&chosen, key))
			strmap_set(ret, key, equals + 1);
	}
	return 0;
}

int log_config_attrs(const struct strmap *opts, const struct log_subject *subject, struct strmap *ret, struct err *err)
{
	AUTO(strmap_clear) struct strmap attrs = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	const char *tag = strmap_get(opts, "tag");
	int rc;

	rc = add_labels(opts, subject->labels, &attrs, err);
	if (rc == 0)
		rc = add_env(opts, subject->env, &attrs, err);
	if (rc == 0 && !str_empty(tag)) {
		rc = expand_tag(tag, subject, &text, err);
		if (rc == 0)
			strmap_set(&attrs, "tag", buf_cstr(&text));
	}
	if (rc < 0)
		return rc;
	strmap_copy(ret, &attrs);
	return 0;
}
