/*
 * rules.c - when rules are written, and when interfaces that nobody needs are removed
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

/* A namespace that dies takes its interfaces along within this time; to ask for it costs the kernel 20 ms of waiting. */
enum { REAP_MS = 250 };

enum { LOCAL_MAX = 256 };

static bool add_local(void *arg, int index, const void *addr, int prefix)
{
	struct strv *local = arg;
	char text[IP_TEXT_SIZE];
	uint32_t ip;

	memcpy(&ip, addr, 4);
	ip = ntohl(ip);
	ip_text(ip, text);
	if (ip >> 24 != 127)
		strv_add(local, text);
	return local->n < LOCAL_MAX;
}

static int list_local(struct strv *ret, struct err *err)
{
	AUTO(netlink_close) struct nl_sock *sock = NULL;
	int rc = netlink_open(0, &sock, err);

	return rc < 0 ? rc : addr_each(sock, 0, AF_INET, add_local, ret, err);
}

/*
 * Starts that come at the same time share one run: a run writes all endpoints that were there when it began, so whoever finds that a
 * later run than his change has ended has nothing left to do.
 */
int rules_write(struct net *net, struct network *n, bool first, struct err *err)
{
	struct firewall_view view = {.network = n, .loopback = net->loopback};
	VEC(struct net_endpoint) copies = {0};
	VEC(const struct net_endpoint *) pointers = {0};
	uint64_t mine, now;
	int rc = 0;

	pthread_mutex_lock(&net->lock);
	mine = n->rules_wanted;
	pthread_mutex_unlock(&net->lock);

	pthread_mutex_lock(&net->rules_lock);
	if (!first && n->rules_written >= mine) {
		pthread_mutex_unlock(&net->rules_lock);
		return 0;
	}
	pthread_mutex_lock(&net->lock);
	now = n->rules_wanted;
	VEC_EACH(ep, &net->endpoints) {
		if (str_eq((*ep)->network_id, n->info.id) && (*ep)->ports.n)
			json_copy(&net_endpoint_table, VEC_ADD(&copies), *ep);
	}
	pthread_mutex_unlock(&net->lock);
	VEC_EACH(copy, &copies)
		VEC_PUSH(&pointers, copy);
	view.endpoints = pointers.v;
	view.count = pointers.n;
	if (firewall_lists_addresses(&net->firewall))
		rc = list_local(&view.local, err);
	if (rc >= 0)
		rc = firewall_apply(&net->firewall, &view, first, err);
	if (rc >= 0 && !first)
		n->rules_written = now;
	pthread_mutex_unlock(&net->rules_lock);

	VEC_EACH(copy, &copies)
		net_endpoint_clear(copy);
	VEC_FREE(&copies);
	VEC_FREE(&pointers);
	strv_clear(&view.local);
	return rc;
}

/* ---- reaper ------------------------------------------------------------------------------------------------------------------- */

static void *reap(void *arg)
{
	const struct timespec pause = {.tv_nsec = REAP_MS * 1000000L};
	struct net *net = arg;

	for (;;) {
		AUTO(netlink_close) struct nl_sock *sock = NULL;
		AUTO(strv_clear) struct strv names = {0};
		struct err ignored;

		if (!net->reaper.hurry)
			nanosleep(&pause, NULL);
		pthread_mutex_lock(&net->reaper.lock);
		names = net->reaper.names;
		net->reaper.names = (struct strv){0};
		if (!names.n) {
			net->reaper.running = false;
			pthread_cond_broadcast(&net->reaper.idle);
			pthread_mutex_unlock(&net->reaper.lock);
			return NULL;
		}
		pthread_mutex_unlock(&net->reaper.lock);

		if (netlink_open(0, &sock, &ignored) < 0)
			continue; /* the next start sweeps them */
		STRV_EACH(name, &names)
			(void)link_del(sock, *name, &ignored); /* mostly gone already */
	}
}

void reaper_add(struct net *net, const char *host_if)
{
	pthread_t thread;

	pthread_mutex_lock(&net->reaper.lock);
	strv_add(&net->reaper.names, host_if);
	if (!net->reaper.running && pthread_create(&thread, NULL, reap, net) == 0) {
		pthread_detach(thread);
		net->reaper.running = true;
	}
	pthread_mutex_unlock(&net->reaper.lock);
}

void reaper_finish(struct net *net)
{
	pthread_mutex_lock(&net->reaper.lock);
	net->reaper.hurry = true;
	while (net->reaper.running)
		pthread_cond_wait(&net->reaper.idle, &net->reaper.lock);
	strv_clear(&net->reaper.names);
	net->reaper.hurry = false;
	pthread_mutex_unlock(&net->reaper.lock);
}
