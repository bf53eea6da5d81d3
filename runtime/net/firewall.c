/*
 * firewall.c - NAT and forwarding rules by iptables, by nft, or not at all
 *
 * A network's chains are always written as a whole, in one transaction, from its endpoints. So there is no rule to find again and delete, a
 * change that was lost is made up for by the next one, and a restart of the daemon repairs everything.
 *
 * iptables: works with 1.4.7 (no -w, no -C) and with the nft-based one; only own chains are rewritten, and the jumps to them in the
 * built-in chains are looked up in iptables-save. A kernel may lack the match that knows the host's own addresses: then they are listed.
 * nft: one table a network, replaced.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/capability.h"
#include "runtime/net/net_internal.h"

enum { RUN_MS = 30000, BUSY_TRIES = 50, BUSY_PAUSE_MS = 100 };

struct firewall_kind {
	const char *name;
	struct fit (*probe)(struct firewall *fw);
	bool nat;
	int (*apply)(struct firewall *fw, const struct firewall_view *view, bool first, struct err *err);
	int (*remove)(struct firewall *fw, const struct network *network, struct err *err);
};

/* ---- running ------------------------------------------------------------------------------------------------------------------ */

/* 0, or the program's complaint as an error; *ret_complaint gets all of it either way, NULL when nobody asks. */
static int run(char *const *argv, const char *input, struct buf *out, struct buf *ret_complaint, struct err *err)
{
	AUTO(buf_clear) struct buf own = BUF_INIT;
	struct buf *complaint = ret_complaint ? ret_complaint : &own;
	int status, rc = proc_run(argv, input, out, complaint, RUN_MS, &status, err);

	if (rc < 0)
		return rc;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(err, ERR_INTERNAL, "%s: %.*s", argv[0],
		       complaint->len ? (int)strcspn(buf_cstr(complaint), "\n") : INT_MAX,
		       complaint->len ? buf_cstr(complaint) : "failed without a message");
}

/* Nobody else of ours, and where iptables does not wait for others by itself, nobody else who locks. */
static int lock(const struct firewall *fw, int *ret_own, int *ret_xtables, struct err *err)
{
	struct err ignored;
	int rc = file_lock(fw->lock_path, true, ret_own, err);

	if (rc >= 0 && !fw->wait)
		(void)file_lock("/run/xtables.lock", true, ret_xtables, &ignored); /* absent with old iptables */
	return rc;
}

/* ---- iptables ----------------------------------------------------------------------------------------------------------------- */

static int restore_once(struct firewall *fw, const char *script, struct buf *complaint, struct err *err)
{
	auto_free char *program = xfmt("%s-restore", fw->program);
	char *waiting[] = {program, "-w", "--noflush", NULL};
	char *plain[] = {program, "--noflush", NULL};
	auto_fd int own = -1;
	auto_fd int xtables = -1;
	int rc = lock(fw, &own, &xtables, err);

	return rc < 0 ? rc : run(fw->wait ? waiting : plain, script, NULL, complaint, err);
}

/* Somebody else changes the table: 1.4.7 hears of it from the kernel, later ones from their lock. */
static bool is_busy(const struct buf *complaint)
{
	return complaint->len && (strstr(complaint->data, "xtables lock") ||
				  strstr(complaint->data, "Resource temporarily unavailable"));
}

static int restore(struct firewall *fw, const char *script, struct err *err)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000L};

	for (int i = 0;; i++) {
		AUTO(buf_clear) struct buf complaint = BUF_INIT;
		int rc = restore_once(fw, script, &complaint, err);

		if (rc >= 0 || i == BUSY_TRIES || !is_busy(&complaint))
			return rc;
		err_clear(err);
		nanosleep(&pause, NULL);
	}
}

/* An unknown option is no failure for 1.4.7: it complains and goes on, without the lock that was asked for. */
static int try_waiting(struct firewall *fw, const char *script, bool *ret_wait, struct err *err)
{
	AUTO(buf_clear) struct buf complaint = BUF_INIT;
	int rc;

	fw->wait = true;
	rc = restore_once(fw, script, &complaint, err);
	*ret_wait = rc >= 0 && !strstr(buf_cstr(&complaint), " option");
	return rc;
}

/* A chain that nothing leads to, gone in the next breath. */
#define PROBE_CHAIN "POUCH-PROBE"
#define PROBE_REMOVAL "*nat\n:" PROBE_CHAIN " - [0:0]\n-X " PROBE_CHAIN "\nCOMMIT\n"

static int try_iptables(struct firewall *fw, struct err *err)
{
	static const char nothing[] = "*nat\nCOMMIT\n*filter\nCOMMIT\n";
	static const char addrtype[] = "*nat\n:" PROBE_CHAIN " - [0:0]\n-A " PROBE_CHAIN
				       " -m addrtype --dst-type LOCAL -j RETURN\nCOMMIT\n" PROBE_REMOVAL;
	bool wait = false;
	int rc = try_waiting(fw, nothing, &wait, err);

	fw->wait = wait;
	if (rc < 0 && err->code == ENOENT)
		return rc;
	if (!wait) {
		err_clear(err);
		rc = restore(fw, nothing, err);
		if (rc < 0)
			return rc;
	}
	fw->addrtype = !hidden("addrtype") && restore(fw, addrtype, &(struct err){0}) >= 0;
	return 0;
}

/* The kernel may have one kind of tables only, whichever the plain name leads to. */
static struct fit iptables_probe(struct firewall *fw)
{
	static const char *const programs[] = {"iptables", "iptables-legacy"};
	struct err first = ERR_INIT;

	if (hidden("iptables"))
		return fit(FIT_NO, "hidden by configuration");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct err err = ERR_INIT;

		fw->program = programs[i];
		if (try_iptables(fw, &err) >= 0)
			return fit(FIT_NATIVE, "%s-restore%s%s", fw->program, fw->wait ? "" : " without -w, own lock",
				   fw->addrtype ? "" : ", no match 'addrtype'");
		if (!i)
			first = err;
	}
	return fit(FIT_NO, "%.110s", first.msg);
}

static bool in_v4(const struct net_port *p)
{
	return !p->host_ip || !strchr(p->host_ip, ':');
}

static bool any_ip(const struct net_port *p)
{
	return !p->host_ip || strcmp(p->host_ip, "0.0.0.0") == 0;
}

static void nat_ports(struct buf *text, const struct firewall_view *v)
{
	const char *bridge = v->network->info.bridge;

	for (size_t i = 0; i < v->count; i++) {
		const struct net_endpoint *ep = v->endpoints[i];

		VEC_EACH(p, &ep->ports) {
			if (!in_v4(p))
				continue;
			buf_fmt(text, "-A POUCH-%s", bridge);
			if (!any_ip(p))
				buf_fmt(text, " -d %s/32", p->host_ip);
			buf_fmt(text, " -p %s -m %s --dport %u -j DNAT --to-destination %s:%u\n", p->proto, p->proto,
				p->host_first, ep->ip, p->container_port);
			/* A container that asks for a published port of its own network gets its answer by way of the host. */
			buf_fmt(text,
				"-A POUCH-%s-SNAT -s %s -d %s/32 -p %s -m %s --dport %u -m conntrack --ctstate DNAT "
				"-j MASQUERADE\n",
				bridge, v->network->info.subnet, ep->ip, p->proto, p->proto, p->container_port);
		}
	}
}

static void forward_ports(struct buf *text, const struct firewall_view *v)
{
	const char *bridge = v->network->info.bridge;

	for (size_t i = 0; i < v->count; i++) {
		VEC_EACH(p, &v->endpoints[i]->ports) {
			if (in_v4(p))
				buf_fmt(text, "-A POUCH-%s-FWD -d %s/32 ! -i %s -o %s -p %s -m %s --dport %u -j ACCEPT\n",
					bridge, v->endpoints[i]->ip, bridge, bridge, p->proto, p->proto,
					p->container_port);
		}
	}
}

/* From a built-in chain into one of ours. */
struct jump {
	const char *table, *chain, *match, *suffix;
	bool (*wanted)(const struct firewall *fw, const struct firewall_view *v);
	bool in_front;
};

static bool always(const struct firewall *fw, const struct firewall_view *v)
{
	return true;
}

static bool with_addrtype(const struct firewall *fw, const struct firewall_view *v)
{
	return fw->addrtype;
}

static bool with_addrtype_and_loopback(const struct firewall *fw, const struct firewall_view *v)
{
	return fw->addrtype && v->loopback;
}

static bool with_addrtype_no_loopback(const struct firewall *fw, const struct firewall_view *v)
{
	return fw->addrtype && !v->loopback;
}

static bool with_list(const struct firewall *fw, const struct firewall_view *v)
{
	return !fw->addrtype;
}

#define LIST "-LOCAL"

static const struct jump jumps[] = {
	{"nat", "PREROUTING", "-m addrtype --dst-type LOCAL ", "", with_addrtype, false},
	{"nat", "OUTPUT", "-m addrtype --dst-type LOCAL ", "", with_addrtype_and_loopback, false},
	{"nat", "OUTPUT", "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL ", "", with_addrtype_no_loopback, false},
	{"nat", "PREROUTING", "", LIST, with_list, false},
	{"nat", "OUTPUT", "", LIST, with_list, false},
	{"nat", "POSTROUTING", "", "-SNAT", always, false},
	{"filter", "FORWARD", "", "-FWD", always, true},
	{"filter", "INPUT", "", "-IN", always, true},
};

/* "-A CHAIN MATCH-j POUCH-BRIDGE", as iptables-save writes it. */
static char *jump_text(const struct jump *j, const char *bridge)
{
	return xfmt("-A %s %s-j POUCH-%s%s", j->chain, j->match, bridge, j->suffix);
}

/* Is the saved rule @line one of a built-in chain that leads to a chain of @bridge's? */
static bool is_our_jump(const char *line, const char *bridge)
{
	auto_free char *target = xfmt("POUCH-%s", bridge);
	const char *rule = str_skip(line, "-A "), *jump = strstr(line, "-j POUCH-");
	const char *rest = jump ? str_skip(jump + 3, target) : NULL;

	/* Not another bridge's "POUCH-p01". */
	return rule && !str_starts(rule, "POUCH-") && rest && (!*rest || *rest == ' ' || *rest == '-');
}

/*
 * What stands right already stays where it is; a jump of other days (another firewall, another answer to --userland-proxy) goes. @saved is
 * what iptables-save says of all tables.
 */
static void settle_jumps(const struct firewall *fw, const struct firewall_view *v, const char *table, const struct strv *saved,
			 struct buf *text)
{
	const char *bridge = v->network->info.bridge;
	bool there[ARRAY_SIZE(jumps)] = {false}, inside = false;

	STRV_EACH(line, saved) {
		bool keep = false;

		if (**line == '*')
			inside = strcmp(*line + 1, table) == 0;
		if (!inside || !is_our_jump(*line, bridge))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(jumps) && !keep; i++) {
			auto_free char *wanted = jump_text(&jumps[i], bridge);

			if (there[i] || !jumps[i].wanted(fw, v) || strcmp(*line, wanted))
				continue;
			there[i] = keep = true;
		}
		if (!keep)
			buf_fmt(text, "-D %s\n", *line + 3);
	}
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		auto_free char *wanted = jump_text(&jumps[i], bridge);

		if (strcmp(jumps[i].table, table) || there[i] || !jumps[i].wanted(fw, v))
			continue;
		buf_fmt(text, "-%c %s\n", jumps[i].in_front ? 'I' : 'A', wanted + 3);
	}
}

/* The host's addresses one by one, where no match knows them. */
static void list_addresses(struct buf *text, const struct firewall_view *v)
{
	const char *bridge = v->network->info.bridge;

	STRV_EACH(ip, &v->local)
		buf_fmt(text, "-A POUCH-%s" LIST " -d %s/32 -j POUCH-%s\n", bridge, *ip, bridge);
	if (v->loopback)
		buf_fmt(text, "-A POUCH-%s" LIST " -d 127.0.0.0/8 -j POUCH-%s\n", bridge, bridge);
}

/* What all tables hold, a line each. 1.4.7 ends some with a blank. */
static int iptables_save(struct firewall *fw, struct strv *ret, struct err *err)
{
	auto_free char *program = xfmt("%s-save", fw->program);
	char *argv[] = {program, NULL};
	AUTO(buf_clear) struct buf saved = BUF_INIT;
	int rc = run(argv, NULL, &saved, NULL, err);

	if (rc < 0)
		return rc;
	strv_split(ret, buf_cstr(&saved), "\n", false);
	STRV_EACH(line, ret) {
		size_t len = strlen(*line);

		while (len && (*line)[len - 1] == ' ')
			(*line)[--len] = '\0';
	}
	return 0;
}

static int iptables_apply(struct firewall *fw, const struct firewall_view *v, bool first, struct err *err)
{
	AUTO(strv_clear) struct strv saved = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	const char *b = v->network->info.bridge;
	int rc = first ? iptables_save(fw, &saved, err) : 0;

	if (rc < 0)
		return rc;
	buf_fmt(&text, "*nat\n:POUCH-%s - [0:0]\n:POUCH-%s-SNAT - [0:0]\n", b, b);
	if (!fw->addrtype)
		buf_fmt(&text, ":POUCH-%s" LIST " - [0:0]\n", b);
	if (first)
		settle_jumps(fw, v, "nat", &saved, &text);
	if (!fw->addrtype)
		list_addresses(&text, v);
	buf_fmt(&text, "-A POUCH-%s-SNAT -s %s ! -o %s -j MASQUERADE\n", b, v->network->info.subnet, b);
	if (v->loopback)
		buf_fmt(&text, "-A POUCH-%s-SNAT -s 127.0.0.0/8 -o %s -j MASQUERADE\n", b, b);
	nat_ports(&text, v);

	buf_fmt(&text, "COMMIT\n*filter\n:POUCH-%s-FWD - [0:0]\n:POUCH-%s-IN - [0:0]\n", b, b);
	if (first)
		settle_jumps(fw, v, "filter", &saved, &text);
	forward_ports(&text, v);
	buf_fmt(&text,
		"-A POUCH-%s-FWD -i %s -j ACCEPT\n"
		"-A POUCH-%s-FWD -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		/* route_localnet lets packets for 127.0.0.0/8 in from the bridge: only answers have business there */
		"-A POUCH-%s-IN -i %s -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP\nCOMMIT\n",
		b, b, b, b, b, b);
	return restore(fw, buf_cstr(&text), err);
}

/* Everything of ours in the table, as deletions. */
static void undo_table(struct buf *text, const struct strv *lines, const char *table, const char *bridge)
{
	AUTO(buf_clear) struct buf chains = BUF_INIT;
	auto_free char *chain = xfmt(":POUCH-%s", bridge);
	bool inside = false;

	buf_fmt(text, "*%s\n", table);
	STRV_EACH(line, lines) {
		const char *rest = str_skip(*line, chain);

		if (**line == '*')
			inside = strcmp(*line + 1, table) == 0;
		if (!inside)
			continue;
		/* ":POUCH-p0 ..." or ":POUCH-p0-SNAT ...", but not another bridge's ":POUCH-p01" */
		if (rest && (*rest == ' ' || *rest == '-')) {
			int len = (int)strcspn(*line + 1, " ");

			buf_fmt(text, "-F %.*s\n", len, *line + 1);
			buf_fmt(&chains, "-X %.*s\n", len, *line + 1);
		}
		if (is_our_jump(*line, bridge))
			buf_fmt(text, "-D %s\n", *line + 3);
	}
	buf_fmt(text, "%sCOMMIT\n", buf_cstr(&chains));
}

static int iptables_remove(struct firewall *fw, const struct network *network, struct err *err)
{
	AUTO(strv_clear) struct strv saved = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = iptables_save(fw, &saved, err);

	if (rc < 0)
		return rc;
	undo_table(&text, &saved, "nat", network->info.bridge);
	undo_table(&text, &saved, "filter", network->info.bridge);
	return restore(fw, buf_cstr(&text), err);
}

/* ---- nft ---------------------------------------------------------------------------------------------------------------------- */

static void nft_table(char dst[32], const struct network *n)
{
	snprintf(dst, 32, "pouch_%s", n->info.bridge);
	for (char *p = dst; *p; p++) {
		if (*p == '.' || *p == '-')
			*p = '_';
	}
}

static int nft(struct firewall *fw, const char *script, struct err *err)
{
	char *argv[] = {"nft", "-f", "-", NULL};
	auto_fd int own = -1;
	int rc = file_lock(fw->lock_path, true, &own, err);

	return rc < 0 ? rc : run(argv, script, NULL, NULL, err);
}

static struct fit nft_probe(struct firewall *fw)
{
	struct err err = ERR_INIT;

	if (hidden("nft"))
		return fit(FIT_NO, "hidden by configuration");
	if (nft(fw, "add table ip pouch_probe\ndelete table ip pouch_probe\n", &err) < 0)
		return fit(FIT_NO, "%.110s", err.msg);
	return fit(FIT_GOOD, "nft");
}

static void nft_ports(struct buf *text, const struct firewall_view *v, bool dnat)
{
	for (size_t i = 0; i < v->count; i++) {
		const struct net_endpoint *ep = v->endpoints[i];

		VEC_EACH(p, &ep->ports) {
			if (!in_v4(p))
				continue;
			if (dnat && !any_ip(p))
				buf_fmt(text, "\t\tip daddr %s", p->host_ip);
			if (dnat)
				buf_fmt(text, "\t\t%s dport %u dnat to %s:%u\n", p->proto, p->host_first, ep->ip,
					p->container_port);
			else
				buf_fmt(text, "\t\tip saddr %s ip daddr %s %s dport %u ct status dnat masquerade\n",
					v->network->info.subnet, ep->ip, p->proto, p->container_port);
		}
	}
}

static int nft_apply(struct firewall *fw, const struct firewall_view *v, bool first, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	const char *b = v->network->info.bridge;
	char table[32];

	nft_table(table, v->network);
	buf_fmt(&text, "add table ip %s\ndelete table ip %s\ntable ip %s {\n\tchain ports {\n", table, table, table);
	nft_ports(&text, v, true);
	buf_fmt(&text,
		"\t}\n\tchain prerouting {\n\t\ttype nat hook prerouting priority -100;\n"
		"\t\tfib daddr type local jump ports\n\t}\n"
		"\tchain output {\n\t\ttype nat hook output priority -100;\n\t\t%sfib daddr type local jump ports\n\t}\n"
		"\tchain postrouting {\n\t\ttype nat hook postrouting priority 100;\n"
		"\t\tip saddr %s oifname != \"%s\" masquerade\n",
		v->loopback ? "" : "ip daddr != 127.0.0.0/8 ", v->network->info.subnet, b);
	if (v->loopback)
		buf_fmt(&text, "\t\tip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n", b);
	nft_ports(&text, v, false);
	buf_fmt(&text,
		"\t}\n\tchain input {\n\t\ttype filter hook input priority 0;\n"
		"\t\tiifname \"%s\" ip daddr 127.0.0.0/8 ct state != { established, related } drop\n\t}\n}\n",
		b);
	return nft(fw, buf_cstr(&text), err);
}

static int nft_remove(struct firewall *fw, const struct network *network, struct err *err)
{
	char table[32];
	auto_free char *script = NULL;

	nft_table(table, network);
	script = xfmt("add table ip %s\ndelete table ip %s\n", table, table);
	return nft(fw, script, err);
}

/* ---- none --------------------------------------------------------------------------------------------------------------------- */

static struct fit none_probe(struct firewall *fw)
{
	return fit(FIT_FALLBACK, "published ports by proxy; no NAT for connections of containers to other hosts");
}

static int none_apply(struct firewall *fw, const struct firewall_view *view, bool first, struct err *err)
{
	return 0;
}

static int none_remove(struct firewall *fw, const struct network *network, struct err *err)
{
	return 0;
}

/* ---- choice ------------------------------------------------------------------------------------------------------------------- */

static const struct firewall_kind kinds[] = {
	{"iptables", iptables_probe, true, iptables_apply, iptables_remove},
	{"nft", nft_probe, true, nft_apply, nft_remove},
	{"none", none_probe, false, none_apply, none_remove},
};

int firewall_open(struct firewall *fw, bool wanted, const char *run_dir, struct err *err)
{
	int best;

	*fw = (struct firewall){.lock_path = xfmt("%s/firewall.lock", run_dir)};
	fw->row_count = ARRAY_SIZE(kinds);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!wanted && kinds[i].nat)
			fw->rows[i] = fit(FIT_NO, "switched off by --iptables=false");
		else if (i && fw->rows[0].score == FIT_NATIVE && kinds[i].nat)
			fw->rows[i] = fit(FIT_NO, "not tried: iptables works");
		else
			fw->rows[i] = kinds[i].probe(fw);
		fw->rows[i].name = kinds[i].name;
	}
	best = fit_best(fw->rows, fw->row_count, capability_forced_name("nat"), "firewall", err);
	if (best < 0)
		return best;
	fw->kind = &kinds[best];
	return 0;
}

void firewall_close(struct firewall *fw)
{
	free(fw->lock_path);
}

bool firewall_lists_addresses(const struct firewall *fw)
{
	return fw->kind && fw->kind->apply == iptables_apply && !fw->addrtype;
}

bool firewall_has_nat(const struct firewall *fw)
{
	return fw->kind && fw->kind->nat;
}

int firewall_apply(struct firewall *fw, const struct firewall_view *view, bool first, struct err *err)
{
	int rc = fw->kind->apply(fw, view, first, err);

	return rc < 0 ? err_wrap(err, rc, "write the rules of network '%s' (--iptables=false does without)",
				 view->network->info.name) : 0;
}

int firewall_remove(struct firewall *fw, const struct network *network, struct err *err)
{
	return fw->kind->remove(fw, network, err);
}
