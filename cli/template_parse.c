/*
 * template_parse.c - text to tree
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/template_internal.h"
#include "compat/base/str.h"

struct parser {
	const char *start, *p;
	const char *end;		/* of the action: at its closing braces */
	const char *after;		/* behind them, and the space that -}} eats */
	int depth;
	struct err *err;
};

static struct node_list *list_new(void)
{
	return xcalloc(1, sizeof(struct node_list));
}

static void list_free(struct node_list *list);

static void operand_clear(struct operand *o)
{
	free(o->name);
	strv_clear(&o->fields);
	json_object_put(o->literal);
	pipeline_free(o->pipeline);
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	VEC_EACH(call, &p->calls) {
		VEC_EACH(o, &call->operands)
			operand_clear(o);
		VEC_FREE(&call->operands);
	}
	VEC_FREE(&p->calls);
	strv_clear(&p->variables);
	free(p);
}

static void list_free(struct node_list *list)
{
	if (!list)
		return;
	VEC_EACH(node, &list->nodes) {
		free(node->text);
		pipeline_free(node->pipeline);
		list_free(node->then);
		list_free(node->otherwise);
	}
	VEC_FREE(&list->nodes);
	free(list);
}

void template_free(struct template *t)
{
	if (!t)
		return;
	list_free(t->list);
	free(t);
}

int template_refuse(struct err *err, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, ERR_INVALID, "Template parsing error: template: %s", text);
}

static int refuse(struct parser *ps, const char *what, const char *at)
{
	int line = 1;

	for (const char *p = ps->start; p < ps->p; p++)
		line += *p == '\n';
	return template_refuse(ps->err, ":%d: %s%s%.20s%s", line, what, at ? " near \"" : "", at ? at : "",
			       at ? "\"" : "");
}

/* ---- inside an action ---- */

static void skip_space(struct parser *ps)
{
	while (ps->p < ps->end && isspace((unsigned char)*ps->p))
		ps->p++;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* A name at the cursor; NULL without one. Owned. */
static char *take_name(struct parser *ps)
{
	const char *start = ps->p;

	while (ps->p < ps->end && is_name(*ps->p))
		ps->p++;
	return ps->p > start ? xstrndup(start, (size_t)(ps->p - start)) : NULL;
}

/* The word @word, and no longer one, at the cursor: skipped. */
static bool take_word(struct parser *ps, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(ps->end - ps->p) < n || strncmp(ps->p, word, n) != 0 ||
	    (ps->p + n < ps->end && is_name(ps->p[n])))
		return false;
	ps->p += n;
	return true;
}

static int take_fields(struct parser *ps, struct operand *o)
{
	while (ps->p < ps->end && *ps->p == '.') {
		char *name;

		ps->p++;
		name = take_name(ps);
		if (!name)
			return refuse(ps, "bad field", ps->p);
		strv_take(&o->fields, name);
	}
	return 0;
}

static void add_utf8(struct buf *out, unsigned long c)
{
	if (c < 0x80) {
		buf_char(out, (char)c);
	} else if (c < 0x800) {
		buf_char(out, (char)(0xc0 | c >> 6));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_char(out, (char)(0xe0 | (c >> 12 & 0x0f)));
		buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* One escape of a quoted string; the cursor is behind the backslash. */
static int take_escape(struct parser *ps, struct buf *out)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	const char *known = ps->p < ps->end && *ps->p ? strchr(from, *ps->p) : NULL;
	size_t digits;
	char hex[5] = "";

	if (known) {
		buf_char(out, to[known - from]);
		ps->p++;
		return 0;
	}
	digits = ps->p < ps->end && *ps->p == 'x' ? 2 : ps->p < ps->end && *ps->p == 'u' ? 4 : 0;
	if (!digits || (size_t)(ps->end - ps->p) <= digits)
		return refuse(ps, "bad escape", ps->p);
	memcpy(hex, ps->p + 1, digits);
	if (!str_is_hex(hex, digits, digits))
		return refuse(ps, "bad escape", ps->p);
	add_utf8(out, strtoul(hex, NULL, 16));
	ps->p += digits + 1;
	return 0;
}

static int take_quoted(struct parser *ps, struct operand *o)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char quote = *ps->p++;
	int rc = 0;

	while (ps->p < ps->end && *ps->p != quote) {
		if (*ps->p == '\\' && quote == '"') {
			ps->p++;
			rc = take_escape(ps, &text);
			if (rc)
				return rc;
		} else if (*ps->p == '\n' && quote == '"') {
			break;
		} else {
			buf_char(&text, *ps->p++);
		}
	}
	if (ps->p == ps->end || *ps->p != quote)
		return refuse(ps, "unterminated string", NULL);
	ps->p++;
	o->type = OPERAND_LITERAL;
	o->literal = json_object_new_string_len(buf_cstr(&text), (int)text.len);
	return 0;
}

static int take_number(struct parser *ps, struct operand *o)
{
	const char *start = ps->p;
	auto_free char *text = NULL;
	char *end;
	int64_t i;

	while (ps->p < ps->end && (is_name(*ps->p) || strchr("+-.", *ps->p)))
		ps->p++;
	text = xstrndup(start, (size_t)(ps->p - start));
	o->type = OPERAND_LITERAL;
	if (str_i64(text, 0, &i) == 0) {
		o->literal = json_object_new_int64(i);
		return 0;
	}
	o->literal = json_object_new_double(strtod(text, &end));
	return *end || end == text ? refuse(ps, "bad number syntax", text) : 0;
}

static int take_char(struct parser *ps, struct operand *o)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = 0;

	ps->p++;
	if (ps->p < ps->end && *ps->p == '\\') {
		ps->p++;
		rc = take_escape(ps, &text);
	} else if (ps->p < ps->end) {
		buf_char(&text, *ps->p++);
	}
	if (!rc && (ps->p == ps->end || *ps->p != '\'' || text.len != 1))
		rc = refuse(ps, "bad character constant", ps->p);
	if (rc)
		return rc;
	ps->p++;
	o->type = OPERAND_LITERAL;
	o->literal = json_object_new_int((unsigned char)buf_cstr(&text)[0]);
	return 0;
}

static int parse_pipeline(struct parser *ps, char closing, struct pipeline **ret);

static int take_word_operand(struct parser *ps, struct operand *o)
{
	if (take_word(ps, "true") || take_word(ps, "false")) {
		o->type = OPERAND_LITERAL;
		o->literal = json_object_new_boolean(ps->p[-2] == 'u');
		return 0;
	}
	if (take_word(ps, "nil")) {
		o->type = OPERAND_NIL;
		return 0;
	}
	o->type = OPERAND_FUNCTION;
	o->name = take_name(ps);
	if (!function_exists(o->name) && !str_eq(o->name, "and") && !str_eq(o->name, "or"))
		return template_refuse(ps->err, ":1: function \"%.40s\" not defined", o->name);
	return 0;
}

static int parse_operand(struct parser *ps, struct operand *o)
{
	char c = *ps->p;

	if (c == '.' && !(ps->p + 1 < ps->end && isdigit((unsigned char)ps->p[1]))) {
		o->type = OPERAND_DOT;
		if (ps->p + 1 < ps->end && is_name(ps->p[1]))
			return take_fields(ps, o);
		ps->p++;
		return 0;
	}
	if (c == '$') {
		ps->p++;
		o->type = OPERAND_VARIABLE;
		o->name = take_name(ps);
		if (!o->name)
			o->name = xstrdup("");
		return take_fields(ps, o);
	}
	if (c == '(') {
		int rc;

		ps->p++;
		o->type = OPERAND_PIPELINE;
		rc = parse_pipeline(ps, ')', &o->pipeline);
		if (rc)
			return rc;
		ps->p++;
		return take_fields(ps, o);
	}
	if (c == '"' || c == '`')
		return take_quoted(ps, o);
	if (c == '\'')
		return take_char(ps, o);
	if (isdigit((unsigned char)c) || c == '+' || c == '-' || c == '.')
		return take_number(ps, o);
	if (is_name(c))
		return take_word_operand(ps, o);
	return refuse(ps, "unexpected character", ps->p);
}

/* Operands up to '|', the closing character, or the end. */
static int parse_call(struct parser *ps, char closing, struct call *call)
{
	for (;;) {
		int rc;

		skip_space(ps);
		if (ps->p == ps->end || *ps->p == '|' || (closing && *ps->p == closing))
			break;
		if (call->operands.n >= 1000)
			return refuse(ps, "too many arguments", NULL);
		rc = parse_operand(ps, VEC_ADD(&call->operands));
		if (rc)
			return rc;
		if (ps->p < ps->end && !isspace((unsigned char)*ps->p) && *ps->p != '|' && *ps->p != ')')
			return refuse(ps, "unexpected character", ps->p);
	}
	if (!call->operands.n)
		return refuse(ps, "missing value for command", NULL);
	for (size_t i = 1; call->operands.v[0].type != OPERAND_FUNCTION && i < call->operands.n; i++)
		return refuse(ps, "can't give argument to non-function", NULL);
	return 0;
}

/* "$i, $e :=" or "$x =" in front; the cursor stays where it is without one. */
static int parse_declaration(struct parser *ps, struct pipeline *pipeline)
{
	const char *before = ps->p;
	AUTO(strv_clear) struct strv names = {0};

	while (ps->p < ps->end && *ps->p == '$') {
		char *name;

		ps->p++;
		name = take_name(ps);
		strv_take(&names, name ? name : xstrdup(""));
		skip_space(ps);
		if (ps->p == ps->end || *ps->p != ',')
			break;
		ps->p++;
		skip_space(ps);
	}
	if (ps->p < ps->end && names.n && *ps->p == '=') {
		pipeline->is_assignment = true;
		ps->p++;
	} else if (ps->end - ps->p > 1 && names.n && ps->p[0] == ':' && ps->p[1] == '=') {
		ps->p += 2;
	} else {
		ps->p = before;
		return 0;
	}
	if (names.n > 2)
		return refuse(ps, "too many declarations", NULL);
	strv_add_all(&pipeline->variables, &names);
	return 0;
}

static int parse_pipeline(struct parser *ps, char closing, struct pipeline **ret)
{
	AUTO(pipeline_free) struct pipeline *pipeline = xcalloc(1, sizeof(*pipeline));
	int rc;

	if (++ps->depth > TEMPLATE_MAX_DEPTH)
		return refuse(ps, "nested too deep", NULL);
	skip_space(ps);
	rc = parse_declaration(ps, pipeline);
	while (!rc) {
		rc = parse_call(ps, closing, VEC_ADD(&pipeline->calls));
		if (rc || ps->p == ps->end || *ps->p != '|')
			break;
		ps->p++;
	}
	if (!rc && closing && (ps->p == ps->end || *ps->p != closing))
		rc = refuse(ps, "unclosed left paren", NULL);
	ps->depth--;
	if (rc)
		return rc;
	*ret = take(pipeline);
	return 0;
}

/* ---- between actions ---- */

/* How a list of nodes ended. */
enum ending { END_OF_TEXT, END_ACTION, END_ELSE };

static void add_text(struct node_list *list, const char *text, size_t len)
{
	struct node *node;

	if (!len)
		return;
	node = VEC_ADD(&list->nodes);
	node->type = NODE_TEXT;
	node->text = xstrndup(text, len);
	node->text_len = len;
}

/* The end of the action that begins at @p: past strings and comments. NULL when it is not closed. */
static const char *find_close(const char *p)
{
	for (; *p; p++) {
		if (p[0] == '}' && p[1] == '}')
			return p;
		if (*p == '"' || *p == '`' || *p == '\'') {
			char quote = *p++;

			for (; *p && *p != quote; p++)
				p += *p == '\\' && quote != '`' && p[1];
			if (!*p)
				return NULL;
		}
	}
	return NULL;
}

/*
 * Step over the text up to the next action, which becomes ps->p to ps->end. Returns 0 at the end of the text, 1 with an
 * action, 2 with a comment, or -errno.
 */
static int next_action(struct parser *ps, struct node_list *list)
{
	const char *open = strstr(ps->p, "{{"), *text_end, *close;
	bool comment;

	if (!open) {
		add_text(list, ps->p, strlen(ps->p));
		ps->p += strlen(ps->p);
		return 0;
	}
	text_end = open;
	open += 2;
	if (open[0] == '-' && isspace((unsigned char)open[1])) {
		while (text_end > ps->p && isspace((unsigned char)text_end[-1]))
			text_end--;
		open++;
	}
	add_text(list, ps->p, (size_t)(text_end - ps->p));
	ps->p = open + strspn(open, " \t\r\n");
	comment = ps->p[0] == '/' && ps->p[1] == '*';
	close = comment ? strstr(ps->p, "*/") : find_close(ps->p);
	if (comment && close)
		close = strstr(close, "}}");
	if (!close)
		return refuse(ps, comment ? "unclosed comment" : "unclosed action", NULL);
	ps->after = close + 2;
	ps->end = close;
	if (close > ps->p && close[-1] == '-' && close - 1 > ps->p && isspace((unsigned char)close[-2])) {
		ps->end = close - 1;
		ps->after += strspn(ps->after, " \t\r\n");
	}
	while (ps->end > ps->p && isspace((unsigned char)ps->end[-1]))
		ps->end--;
	return comment ? 2 : 1;
}

static int parse_list(struct parser *ps, struct node_list *list, bool in_loop, bool nested, enum ending *ret);

static int expect_end(struct parser *ps, const char *what)
{
	skip_space(ps);
	return ps->p == ps->end ? 0 : refuse(ps, what, ps->p);
}

/* "if", "range" or "with" and all up to its "end"; the cursor is behind the word. */
static int parse_block(struct parser *ps, enum node_type type, struct node *node, bool in_loop)
{
	enum ending ending;
	int rc;

	node->type = type;
	rc = parse_pipeline(ps, 0, &node->pipeline);
	if (rc)
		return rc;
	ps->p = ps->after;
	node->then = list_new();
	rc = parse_list(ps, node->then, in_loop || type == NODE_RANGE, true, &ending);
	if (rc || ending != END_ELSE)
		return rc;
	/* "else if" and "else with" are an else with one inside, which takes the same end. */
	node->otherwise = list_new();
	skip_space(ps);
	if (take_word(ps, "if"))
		return parse_block(ps, NODE_IF, VEC_ADD(&node->otherwise->nodes), in_loop);
	if (take_word(ps, "with"))
		return parse_block(ps, NODE_WITH, VEC_ADD(&node->otherwise->nodes), in_loop);
	rc = expect_end(ps, "unexpected word in else");
	ps->p = ps->after;
	if (!rc)
		rc = parse_list(ps, node->otherwise, in_loop, true, &ending);
	if (!rc && ending == END_ELSE)
		rc = refuse(ps, "expected end; found else", NULL);
	return rc;
}

static int parse_keyword(struct parser *ps, struct node_list *list, bool in_loop, bool *ret_known)
{
	static const struct {
		const char *word;
		enum node_type type;
	} blocks[] = {{"if", NODE_IF}, {"range", NODE_RANGE}, {"with", NODE_WITH}};
	static const char *const refused[] = {"define", "template", "block"};

	*ret_known = true;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		if (take_word(ps, blocks[i].word))
			return parse_block(ps, blocks[i].type, VEC_ADD(&list->nodes), in_loop);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (take_word(ps, refused[i]))
			return refuse(ps, "not supported here", refused[i]);
	for (int i = 0; i < 2; i++) {
		if (!take_word(ps, i ? "continue" : "break"))
			continue;
		if (!in_loop)
			return refuse(ps, "outside of range", i ? "continue" : "break");
		VEC_ADD(&list->nodes)->type = i ? NODE_CONTINUE : NODE_BREAK;
		ps->p = ps->after;
		return 0;
	}
	*ret_known = false;
	return 0;
}

/* One action other than end and else. */
static int parse_action(struct parser *ps, struct node_list *list, bool in_loop)
{
	bool known;
	int rc = parse_keyword(ps, list, in_loop, &known);
	struct node *node;

	if (rc || known)
		return rc;
	node = VEC_ADD(&list->nodes);
	node->type = NODE_ACTION;
	rc = parse_pipeline(ps, 0, &node->pipeline);
	if (!rc)
		rc = expect_end(ps, "unexpected character");
	ps->p = ps->after;
	return rc;
}

static int parse_list(struct parser *ps, struct node_list *list, bool in_loop, bool nested, enum ending *ret)
{
	int rc;

	if (++ps->depth > TEMPLATE_MAX_DEPTH)
		return refuse(ps, "nested too deep", NULL);
	while ((rc = next_action(ps, list)) > 0) {
		if (rc == 2) {
			ps->p = ps->after;
			continue;
		}
		if (take_word(ps, "end") || take_word(ps, "else")) {
			*ret = ps->p[-1] == 'd' ? END_ACTION : END_ELSE;
			if (!nested)
				return refuse(ps, "unexpected {{end}} or {{else}}", NULL);
			ps->depth--;
			if (*ret == END_ELSE)
				return 0;
			rc = expect_end(ps, "unexpected word in end");
			ps->p = ps->after;
			return rc;
		}
		rc = parse_action(ps, list, in_loop);
		if (rc)
			return rc;
	}
	ps->depth--;
	*ret = END_OF_TEXT;
	return rc || !nested ? rc : refuse(ps, "unexpected EOF: {{end}} is missing", NULL);
}

int template_parse(const char *text, struct template **ret, struct err *err)
{
	AUTO(template_free) struct template *t = xcalloc(1, sizeof(*t));
	struct parser ps = {.start = text, .p = text, .err = err};
	enum ending ending;
	int rc;

	if (strlen(text) > TEMPLATE_MAX_BYTES)
		return template_refuse(err, "over %d bytes", TEMPLATE_MAX_BYTES);
	t->list = list_new();
	rc = parse_list(&ps, t->list, false, false, &ending);
	if (rc)
		return rc;
	*ret = take(t);
	return 0;
}
