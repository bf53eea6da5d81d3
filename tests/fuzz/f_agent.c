/*
 * f_agent.c - a request to a container's agent: refused or accepted, and what is accepted prints and parses again
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/oci/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct oci_process *p)
{
	AUTO(oci_process_clear) struct oci_process again = {0};
	AUTO(buf_clear) struct buf body = BUF_INIT;
	struct err err = ERR_INIT;

	agent_body_print(p, &body);
	/* What is no UTF-8 is printed as something longer in the JSON, which may then be too long. */
	if (agent_body_parse(body.data, body.len, p->args.n, p->env.n, &again, &err))
		return;
	if (strcmp(again.cwd, p->cwd) || again.args.n != p->args.n || again.env.n != p->env.n)
		abort();
	for (size_t i = 0; i < p->args.n; i++)
		if (strcmp(again.args.v[i], p->args.v[i]))
			abort();
	for (size_t i = 0; i < p->env.n; i++)
		if (strcmp(again.env.v[i], p->env.v[i]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(oci_process_clear) struct oci_process process = {0};
	struct ns_agent_request head;
	struct err err = ERR_INIT;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	if (agent_head_check(&head, &err)) {
		if (!err.msg[0])
			abort();
		return 0;
	}
	/* It would wait for what is missing, and not see what is too much. */
	if (head.kind != NS_AGENT_EXEC || head.len > size - sizeof(head))
		return 0;
	if (agent_body_parse((const char *)data + sizeof(head), head.len, head.args[2], head.args[3], &process, &err)) {
		if (!err.msg[0] || process.args.n || process.cwd)
			abort();
		return 0;
	}
	same_again(&process);
	return 0;
}
