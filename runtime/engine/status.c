/*
 * status - a container's state in words.
 */
#include "runtime/engine/status.h"

#include <stdio.h>
#include <string.h>

#include "compat/base/str.h"
#include "compat/base/time.h"

const char *status_word(const struct container_record *r, enum dialect dialect)
{
	const char *s = r->state.status;

	if (dialect == DIALECT_DOCKER && str_eq(s, "stopped"))
		return "exited";
	return s ? s : "created";
}

void status_text(const struct container_record *r, enum dialect dialect, int64_t now_ns, char *dst, size_t size)
{
	const struct api_container_state *s = &r->state;
	bool docker = dialect == DIALECT_DOCKER;
	char age[64];

	if (s->running) {
		time_human(age, sizeof(age), now_ns - s->started_at);
		snprintf(dst, size, "Up %s%s", age, !s->paused ? "" : docker ? " (Paused)" : "(paused)");
	} else if (s->restarting) {
		time_human(age, sizeof(age), now_ns - s->finished_at);
		snprintf(dst, size, "Restarting (%lld) %s%s", (long long)s->exit_code, age, docker ? " ago" : "");
	} else if (str_eq(s->status, "removing")) {
		snprintf(dst, size, docker ? "Removal In Progress" : "removing");
	} else if (s->dead) {
		snprintf(dst, size, docker ? "Dead" : "dead");
	} else if (!s->finished_at) {
		snprintf(dst, size, docker ? "Created" : "created");
	} else {
		time_human(age, sizeof(age), now_ns - s->finished_at);
		snprintf(dst, size, "%s (%lld) %s%s", !docker && str_eq(s->status, "stopped") ? "Stopped" : "Exited",
			 (long long)s->exit_code, age, docker ? " ago" : "");
	}
}
