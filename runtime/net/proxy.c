/*
 * proxy.c - start and stop the process that carries published ports where NAT does not
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

enum { FIRST_FD = 3, SOCKETS_MAX = 900 };

struct sockets {
	VEC(int) fds;
	struct strv argv;
};

static void sockets_clear(struct sockets *s)
{
	VEC_EACH(fd, &s->fds)
		close(*fd);
	VEC_FREE(&s->fds);
	strv_clear(&s->argv);
}
DEFINE_AUTO_CLEAR(sockets_clear, struct sockets)

static int add(struct sockets *s, const struct net_endpoint *ep, const struct net_port *p, const char *ip, bool must,
	       struct err *err)
{
	int fd;

	if (s->fds.n == SOCKETS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d published ports without NAT", SOCKETS_MAX);
	fd = port_bind(p->proto, ip, p->host_first);
	if (fd == -EADDRINUSE)
		return err_set(err, ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated by another program", ip,
			       p->host_first);
	if (fd < 0)
		return must ? err_sys(err, -fd, "Bind for %s:%u", ip, p->host_first) : 0;
	VEC_PUSH(&s->fds, fd);
	strv_addf(&s->argv, "%s:%s:%u", p->proto, ep->ip, p->container_port);
	return 0;
}

static int bind_all(struct sockets *s, const struct net_endpoint *ep, bool v4, struct err *err)
{
	VEC_EACH(p, &ep->ports) {
		bool is_v6 = p->host_ip && strchr(p->host_ip, ':');
		int rc = 0;

		if (is_v6)
			rc = add(s, ep, p, p->host_ip, true, err);
		else if (v4)
			rc = add(s, ep, p, p->host_ip ? p->host_ip : "0.0.0.0", true, err);
		/* Published everywhere includes IPv6, where the host has it. */
		if (rc >= 0 && v4 && !p->host_ip)
			rc = add(s, ep, p, "::", false, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int proxy_start(const char *program, struct net_endpoint *ep, bool v4, struct err *err)
{
	AUTO(sockets_clear) struct sockets s = {0};
	auto_free char *sibling = NULL;
	VEC(struct proc_fd) map = {0};
	struct proc_ref ref;
	pid_t pid;
	int rc;

	strv_add(&s.argv, "pouch-proxy");
	rc = bind_all(&s, ep, v4, err);
	if (rc < 0 || !s.fds.n)
		return rc;
	if (!program) {
		rc = proc_sibling("pouch-init", &sibling, err);
		if (rc < 0)
			return err_wrap(err, rc, "start the port proxy");
	}
	VEC_EACH(fd, &s.fds)
		VEC_PUSH(&map, ((struct proc_fd){*fd, FIRST_FD + (int)(fd - s.fds.v)}));
	rc = proc_spawn(&(struct proc_spawn){.path = program ? program : sibling,
					     .argv = strv_argv(&s.argv),
					     .fds = map.v,
					     .fd_count = map.n,
					     .new_session = true},
			&pid, err);
	VEC_FREE(&map);
	if (rc < 0)
		return err_wrap(err, rc, "start the port proxy");
	if (proc_ref_get(pid, &ref) < 0)
		return err_set(err, ERR_INTERNAL, "the port proxy ended at once");
	ep->proxy_pid = pid;
	ep->proxy_start = ref.start;
	return 0;
}

void proxy_stop(struct net_endpoint *ep)
{
	const struct proc_ref ref = {.pid = (pid_t)ep->proxy_pid, .start = ep->proxy_start};

	if (!ep->proxy_pid)
		return;
	(void)proc_ref_kill(&ref, SIGKILL);	  /* gone already is as good */
	(void)waitpid(ref.pid, NULL, 0);	  /* ECHILD when an earlier daemon started it */
	ep->proxy_pid = 0;
}
