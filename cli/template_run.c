/*
 * template_run.c - the tree over the data
 */
#include <stdlib.h>

#include "cli/template_internal.h"
#include "compat/base/str.h"

/* What a list of nodes says to the range around it. */
enum flow { FLOW_ON = 0, FLOW_BREAK, FLOW_CONTINUE };

static int eval_pipeline(struct run *run, const struct value *dot, const struct pipeline *p, struct value *ret);

static struct variable *find_variable(struct run *run, const char *name)
{
	for (size_t i = run->variables.n; i; i--)
		if (str_eq(run->variables.v[i - 1].name, name))
			return &run->variables.v[i - 1];
	return NULL;
}

static void add_variable(struct run *run, const char *name, struct value value)
{
	struct variable *v = VEC_ADD(&run->variables);

	v->name = name;
	v->value = value;
}

static int eval_fields(struct run *run, struct value from, const struct strv *fields, struct value *ret)
{
	for (size_t i = 0; i < fields->n; i++) {
		struct value next = {0};
		int rc = value_field(run, &from, fields->v[i], &next);

		if (rc)
			return rc;
		from = next;
	}
	*ret = from;
	return 0;
}

/* Anything but a function. */
static int eval_operand(struct run *run, const struct value *dot, const struct operand *o, struct value *ret)
{
	struct value from = *dot;
	struct variable *variable;
	int rc = 0;

	switch (o->type) {
	case OPERAND_LITERAL:
		*ret = (struct value){.json = o->literal};
		return 0;
	case OPERAND_NIL:
		*ret = (struct value){0};
		return 0;
	case OPERAND_VARIABLE:
		variable = find_variable(run, o->name);
		if (!variable)
			return template_refuse(run->err, ":1: undefined variable \"$%.60s\"", o->name);
		from = variable->value;
		break;
	case OPERAND_PIPELINE:
		rc = eval_pipeline(run, dot, o->pipeline, &from);
		break;
	case OPERAND_FUNCTION:
		return template_refuse(run->err, ":1: function %.60s cannot be an argument without parentheses",
				       o->name);
	case OPERAND_DOT:
		break;
	}
	return rc ? rc : eval_fields(run, from, &o->fields, ret);
}

/* A function without arguments may stand where a value does ("json (len .)" needs none). */
static int eval_argument(struct run *run, const struct value *dot, const struct operand *o, struct value *ret)
{
	bool known;

	if (o->type == OPERAND_FUNCTION)
		return function_call(run, o->name, NULL, 0, ret, &known);
	return eval_operand(run, dot, o, ret);
}

/* The first argument that decides, or the last; those behind it are not looked at. */
static int eval_and_or(struct run *run, const struct value *dot, const struct call *call, const struct value *piped,
		       struct value *ret)
{
	bool stop_at = str_eq(call->operands.v[0].name, "or");

	if (call->operands.n + !!piped < 2)
		return template_refuse(run->err, ":1: wrong number of args for %s: want at least 1 got 0",
				       call->operands.v[0].name);
	for (size_t i = 1; i < call->operands.n; i++) {
		int rc = eval_argument(run, dot, &call->operands.v[i], ret);

		if (rc || value_is_true(ret) == stop_at)
			return rc;
	}
	if (piped)
		*ret = *piped;
	return 0;
}

static int eval_function(struct run *run, const struct value *dot, const struct call *call,
			 const struct value *piped, struct value *ret)
{
	const char *name = call->operands.v[0].name;
	size_t n = call->operands.n - 1;
	auto_free struct value *args = xcalloc(n + 1, sizeof(*args));
	bool known;
	int rc;

	if (str_eq(name, "and") || str_eq(name, "or"))
		return eval_and_or(run, dot, call, piped, ret);
	for (size_t i = 0; i < n; i++) {
		rc = eval_argument(run, dot, &call->operands.v[i + 1], &args[i]);
		if (rc)
			return rc;
	}
	if (piped)
		args[n++] = *piped;
	return function_call(run, name, args, n, ret, &known);
}

static int eval_pipeline(struct run *run, const struct value *dot, const struct pipeline *p, struct value *ret)
{
	struct value value = {0};

	for (size_t i = 0; i < p->calls.n; i++) {
		const struct call *call = &p->calls.v[i];
		struct value next = {0};
		int rc;

		if (call->operands.v[0].type == OPERAND_FUNCTION)
			rc = eval_function(run, dot, call, i ? &value : NULL, &next);
		else if (i)
			rc = template_refuse(run->err, ":1: can't give argument to non-function");
		else
			rc = eval_operand(run, dot, &call->operands.v[0], &next);
		if (rc)
			return rc;
		value = next;
	}
	*ret = value;
	return 0;
}

/* The variables of "$x := ..." and "$x = ..."; a range declares its own. */
static int bind(struct run *run, const struct pipeline *p, struct value value)
{
	const char *name = p->variables.n ? p->variables.v[p->variables.n - 1] : NULL;
	struct variable *variable;

	if (!name)
		return 0;
	if (!p->is_assignment) {
		add_variable(run, name, value);
		return 0;
	}
	variable = find_variable(run, name);
	if (!variable)
		return template_refuse(run->err, ":1: undefined variable \"$%.60s\"", name);
	variable->value = value;
	return 0;
}

static int run_list(struct run *run, const struct value *dot, const struct node_list *list, enum flow *ret);

/* One turn of a range. */
static int run_turn(struct run *run, const struct node *node, struct value key, struct value element,
		    enum flow *ret)
{
	const struct strv *names = &node->pipeline->variables;
	size_t before = run->variables.n;
	int rc;

	if (names->n == 2)
		add_variable(run, names->v[0], key);
	if (names->n)
		add_variable(run, names->v[names->n - 1], element);
	rc = run_list(run, &element, node->then, ret);
	run->variables.n = before;
	if (!rc && ++run->turns > TEMPLATE_MAX_TURNS)
		rc = template_refuse(run->err, ":1: ranges over more than %d elements", TEMPLATE_MAX_TURNS);
	if (!rc && run->out->len > TEMPLATE_MAX_OUTPUT)
		rc = template_refuse(run->err, "output over %d bytes", TEMPLATE_MAX_OUTPUT);
	return rc;
}

static int run_range(struct run *run, const struct value *dot, const struct node *node, enum flow *ret)
{
	AUTO(strv_clear) struct strv keys = {0};
	struct value over = {0};
	enum flow flow = FLOW_ON;
	size_t n = 0;
	int rc = eval_pipeline(run, dot, node->pipeline, &over);
	bool is_list, is_map, is_number;

	if (rc)
		return rc;
	is_list = json_object_is_type(over.json, json_type_array);
	is_map = json_object_is_type(over.json, json_type_object) && over.shape != SHAPE_STRUCT;
	is_number = json_object_is_type(over.json, json_type_int);
	if (!is_list && !is_map && !is_number && over.json)
		return template_refuse(run->err, ":1: range can't iterate over %s", value_type(&over));
	if (is_map)
		value_keys(&over, &keys);
	n = is_list ? json_object_array_length(over.json) : is_map ? keys.n : 0;
	if (is_number && json_object_get_int64(over.json) > 0)
		n = (size_t)json_object_get_int64(over.json);
	if (n > TEMPLATE_MAX_TURNS)
		return template_refuse(run->err, ":1: range over more than %d", TEMPLATE_MAX_TURNS);
	if (!n)
		return node->otherwise ? run_list(run, dot, node->otherwise, ret) : 0;
	for (size_t i = 0; !rc && i < n && flow != FLOW_BREAK; i++) {
		struct json_object *json = NULL;
		struct value key, element;

		if (is_map)
			json_object_object_get_ex(over.json, keys.v[i], &json);
		else if (is_list)
			json = json_object_array_get_idx(over.json, i);
		key = is_map ? value_string(run, keys.v[i], strlen(keys.v[i])) : value_int(run, (int64_t)i);
		element = is_number ? key : value_element(&over, json);
		rc = run_turn(run, node, key, element, &flow);
	}
	return rc;
}

static int run_branch(struct run *run, const struct value *dot, const struct node *node, enum flow *ret)
{
	size_t before = run->variables.n;
	struct value value = {0};
	const struct value *inside;
	int rc = eval_pipeline(run, dot, node->pipeline, &value);

	if (!rc)
		rc = bind(run, node->pipeline, value);
	if (rc)
		return rc;
	inside = node->type == NODE_WITH ? &value : dot;
	if (value_is_true(&value))
		rc = run_list(run, inside, node->then, ret);
	else if (node->otherwise)
		rc = run_list(run, dot, node->otherwise, ret);
	run->variables.n = before;
	return rc;
}

static int run_action(struct run *run, const struct value *dot, const struct node *node)
{
	struct value value = {0};
	int rc = eval_pipeline(run, dot, node->pipeline, &value);

	if (rc)
		return rc;
	if (node->pipeline->variables.n)
		return bind(run, node->pipeline, value);
	value_print(&value, run->out);
	return 0;
}

static int run_node(struct run *run, const struct value *dot, const struct node *node, enum flow *ret)
{
	switch (node->type) {
	case NODE_TEXT:
		buf_add(run->out, node->text, node->text_len);
		return 0;
	case NODE_ACTION:
		return run_action(run, dot, node);
	case NODE_IF:
	case NODE_WITH:
		return run_branch(run, dot, node, ret);
	case NODE_RANGE:
		return run_range(run, dot, node, ret);
	case NODE_BREAK:
		*ret = FLOW_BREAK;
		return 0;
	case NODE_CONTINUE:
		*ret = FLOW_CONTINUE;
		return 0;
	}
	return 0;
}

static int run_list(struct run *run, const struct value *dot, const struct node_list *list, enum flow *ret)
{
	size_t before = run->variables.n;
	enum flow flow = FLOW_ON;
	int rc = 0;

	for (size_t i = 0; !rc && flow == FLOW_ON && i < list->nodes.n; i++)
		rc = run_node(run, dot, &list->nodes.v[i], &flow);
	run->variables.n = before;
	*ret = flow;
	return rc;
}

int template_run(const struct template *t, struct json_object *data, const struct json_table *table,
		 struct buf *out, struct err *err)
{
	struct run run = {
		.out = out,
		.err = err,
		.root = {.json = data, .table = table, .shape = table ? SHAPE_STRUCT : SHAPE_ANY},
	};
	enum flow flow;
	int rc;

	add_variable(&run, "", run.root);
	rc = run_list(&run, &run.root, t->list, &flow);
	VEC_EACH(json, &run.owned)
		json_object_put(*json);
	VEC_FREE(&run.owned);
	VEC_FREE(&run.variables);
	return rc;
}
