/*
 * hooks.c - programs that the bundle wants to run at certain moments
 */
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/oci/internal.h"

#define HOOK_OUTPUT_MAX 4096

/* environ(7) as usual: without a list of its own it is the runtime's; but not inside, where that is nobody's business. */
static void become(const struct oci_hook *h, bool inside, int in, int out)
{
	struct strv args = {0}, env = {0};

	strv_add_all(&args, &h->args);
	if (!args.n)
		strv_add(&args, h->path);
	strv_add_all(&env, &h->env);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	fd_close_from(3, NULL, 0);
	process_default_signals();
	execve(h->path, strv_argv(&args), env.n || inside ? strv_argv(&env) : environ);
	dprintf(2, "%s", strerror(errno));
	_exit(127);
}

/* Collects the output until the hook's end or its time is over: true when it ended by itself. */
static bool follow(int out, int64_t deadline_ms, struct buf *text)
{
	for (;;) {
		struct pollfd p = {.fd = out, .events = POLLIN};
		int64_t left = deadline_ms ? deadline_ms - time_mono_ms() : -1;
		char data[1024];
		ssize_t n;

		if (deadline_ms && left <= 0)
			return false;
		if (poll(&p, 1, deadline_ms ? (int)left : -1) < 0 && errno != EINTR)
			return true;
		if (!p.revents)
			continue;
		n = read(out, data, sizeof(data));
		if (n <= 0)
			return true;
		if (text->len < HOOK_OUTPUT_MAX)
			buf_add(text, data, (size_t)n);
	}
}

/* A hook that closes its output still has its time. */
static bool wait_until(pid_t pid, int64_t deadline_ms, int *status)
{
	for (;;) {
		pid_t got = waitpid(pid, status, deadline_ms ? WNOHANG : 0);

		if (got == pid || (got < 0 && errno != EINTR))
			return true;
		if (deadline_ms && time_mono_ms() >= deadline_ms)
			return false;
		if (deadline_ms)
			poll(NULL, 0, 5);
	}
}

/* "bad system call", as the rest of a message. */
static const char *signal_words(int sig, char words[64])
{
	snprintf(words, 64, "%s", strsignal(sig));
	*words = (char)tolower((unsigned char)*words);
	return words;
}

static int run_one(const char *kind, const struct oci_hook *h, const struct buf *state, struct err *err)
{
	int64_t deadline = h->timeout.set ? time_mono_ms() + h->timeout.v * 1000 : 0;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int in[2], out[2], status = 0;
	char words[64];
	bool ended;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(err, errno, "%s hook '%s': make a pipe", kind, h->path);
	if (pipe2(out, O_CLOEXEC) < 0) {
		int code = errno;

		close(in[0]);
		close(in[1]);
		return err_sys(err, code, "%s hook '%s': make a pipe", kind, h->path);
	}
	pid = ns_clone(0);
	if (pid == 0)
		become(h, str_eq(kind, "startContainer"), in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (pid < 0) {
		close(in[1]);
		close(out[0]);
		return err_sys(err, -pid, "%s hook '%s': start", kind, h->path);
	}
	/* A state is small enough for the pipe; a hook that does not read it is fine. */
	fd_set_nonblock(in[1], true);
	(void)!write(in[1], state->data, state->len);
	close(in[1]);
	ended = follow(out[0], deadline, &text) && wait_until(pid, deadline, &status);
	close(out[0]);
	if (!ended) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return err_set(err, ERR_INTERNAL, "%s hook '%s': no end after %lld s, killed", kind, h->path,
			       (long long)h->timeout.v);
	}
	if (status) {
		for (size_t i = 0; i < text.len; i++)
			if ((unsigned char)text.data[i] < ' ')
				text.data[i] = ' ';
		if (WIFSIGNALED(status))
			return err_set(err, ERR_INTERNAL, "%s hook '%s': error running hook: signal: %s", kind, h->path,
				       signal_words(WTERMSIG(status), words));
		return err_set(err, ERR_INTERNAL, "%s hook '%s': error running hook: exit status %d: %.200s", kind, h->path,
			       proc_exit_code(status), buf_cstr(&text));
	}
	return 0;
}

int oci_hooks_run(const char *kind, const oci_hook_vec *hooks, const struct buf *state, struct err *err)
{
	/* A write to a hook that ended must not end us. */
	void (*old)(int) = hooks->n ? signal(SIGPIPE, SIG_IGN) : SIG_DFL;
	int rc = 0;

	for (size_t i = 0; i < hooks->n && !rc; i++)
		rc = run_one(kind, &hooks->v[i], state, err);
	if (hooks->n)
		signal(SIGPIPE, old);
	return rc;
}
