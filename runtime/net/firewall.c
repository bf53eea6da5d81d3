/*
 * firewall.c - NAT and forwarding rules by iptables, by nft, or not at all
 *
 * A network's chains are always written as a whole, in one transaction, from its endpoints. So there is no rule to find again and delete, a
 * change that was lost is made up for by the next one, and a restart of the daemon repairs everything.
 *
 * iptables: works with 1.4.7 (no -w, no -C) and with the nft-based one; only own chains are rewritten, and the jumps to them in the
 * built-in chains are looked up in iptables-save. nft: one table a network, replaced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/capability.h"
#include "runtime/net/net_internal.h"

enum { RUN_MS = 30000 };

struct firewall_kind {
	const char *name;
	struct fit (*probe)(struct firewall *fw);
	bool nat;
	int (*apply)(struct firewall *fw, const struct firewall_view *view, bool first, struct err *err);
	int (*remove)(struct firewall *fw, const struct network *network, struct err *err);
};

/* ---- running ------------------------------------------------------------------------------------------------------------------ */

/* 0, or the program's complaint as an error. */
static int run(char *const *argv, const char *input, struct buf *out, struct err *err)
{
	AUTO(buf_clear) struct buf complaint = BUF_INIT;
	int status, rc = proc_run(argv, input, out, &complaint, RUN_MS, &status, err);
	char *newline;

	if (rc < 0)
		return rc;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	newline = complaint.len ? strchr(complaint.data, '\n') : NULL;
	if (newline)
		*newline = '\0';
	return err_set(err, ERR_INTERNAL, "%s: %s", argv[0],
		       complaint.len ? complaint.data : "failed without a message");
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

static int restore(struct firewall *fw, const char *script, struct err *err)
{
	char *waiting[] = {"iptables-restore", "-w", "--noflush", NULL};
	char *plain[] = {"iptables-restore", "--noflush", NULL};
	auto_fd int own = -1;
	auto_fd int xtables = -1;
	int rc = lock(fw, &own, &xtables, err);

	if (rc < 0)
		return rc;
	return run(fw->wait ? waiting : plain, script, NULL, err);
}

static struct fit iptables_probe(struct firewall *fw)
{
	static const char nothing[] = "*nat\nCOMMIT\n*filter\nCOMMIT\n";
	struct err err = ERR_INIT;

	if (hidden("iptables"))
		return fit(FIT_NO, "hidden by configuration");
	fw->wait = true;
	if (restore(fw, nothing, &err) >= 0)
		return fit(FIT_NATIVE, "iptables-restore");
	fw->wait = false;
	if (err.code != ENOENT && restore(fw, nothing, &err) >= 0)
		return fit(FIT_NATIVE, "iptables-restore without -w, own lock");
	return fit(FIT_NO, "%.110s", err.msg);
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

struct jump {
	const char *table, *chain, *how, *suffix;
	bool loopback_only, no_loopback;
};

static const struct jump jumps[] = {
	{"nat", "PREROUTING", "-A PREROUTING -m addrtype --dst-type LOCAL", "", false, false},
	{"nat", "OUTPUT", "-A OUTPUT -m addrtype --dst-type LOCAL", "", true, false},
	{"nat", "OUTPUT", "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL", "", false, true},
	{"nat", "POSTROUTING", "-A POSTROUTING", "-SNAT", false, false},
	{"filter", "FORWARD", "-I FORWARD 1", "-FWD", false, false},
	{"filter", "INPUT", "-I INPUT 1", "-IN", false, false},
};

/* Does a rule of @chain in iptables-save's @saved lead to POUCH-BRIDGE@suffix? */
static bool has_jump(const char *saved, const char *chain, const char *bridge, const char *suffix)
{
	auto_free char *start = xfmt("-A %s ", chain);
	auto_free char *end = xfmt("-j POUCH-%s%s", bridge, suffix);
	AUTO(strv_clear) struct strv lines = {0};

	strv_split(&lines, saved, "\n", false);
	STRV_EACH(line, &lines) {
		size_t len = strlen(*line);

		while (len && (*line)[len - 1] == ' ')
			(*line)[--len] = '\0'; /* 1.4.7 leaves one */
		if (str_starts(*line, start) && str_ends(*line, end))
			return true;
	}
	return false;
}

static void add_jumps(struct buf *text, const struct firewall_view *v, const char *table, const char *saved)
{
	const char *bridge = v->network->info.bridge;

	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		const struct jump *j = &jumps[i];

		if (strcmp(j->table, table) || (v->loopback ? j->no_loopback : j->loopback_only) ||
		    has_jump(saved, j->chain, bridge, j->suffix))
			continue;
		buf_fmt(text, "%s -j POUCH-%s%s\n", j->how, bridge, j->suffix);
	}
}

static int iptables_save(struct buf *ret, struct err *err)
{
	char *argv[] = {"iptables-save", NULL};

	return run(argv, NULL, ret, err);
}

static int iptables_apply(struct firewall *fw, const struct firewall_view *v, bool first, struct err *err)
{
	AUTO(buf_clear) struct buf saved = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	const char *b = v->network->info.bridge;
	int rc = first ? iptables_save(&saved, err) : 0;

	if (rc < 0)
		return rc;
	buf_fmt(&text, "*nat\n:POUCH-%s - [0:0]\n:POUCH-%s-SNAT - [0:0]\n", b, b);
	if (first)
		add_jumps(&text, v, "nat", buf_cstr(&saved));
	buf_fmt(&text, "-A POUCH-%s-SNAT -s %s ! -o %s -j MASQUERADE\n", b, v->network->info.subnet, b);
	if (v->loopback)
		buf_fmt(&text, "-A POUCH-%s-SNAT -s 127.0.0.0/8 -o %s -j MASQUERADE\n", b, b);
	nat_ports(&text, v);

	buf_fmt(&text, "COMMIT\n*filter\n:POUCH-%s-FWD - [0:0]\n:POUCH-%s-IN - [0:0]\n", b, b);
	if (first)
		add_jumps(&text, v, "filter", buf_cstr(&saved));
	forward_ports(&text, v);
	buf_fmt(&text,
		"-A POUCH-%s-FWD -i %s -j ACCEPT\n"
		"-A POUCH-%s-FWD -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		/* route_localnet lets packets for 127.0.0.0/8 in from the bridge: only answers have business there */
		"-A POUCH-%s-IN -i %s -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP\nCOMMIT\n",
		b, b, b, b, b, b);
	return restore(fw, buf_cstr(&text), err);
}

/* Everything of ours in the table that iptables-save shows from @lines on, as deletions. */
static void undo_table(struct buf *text, const struct strv *lines, const char *table, const char *bridge)
{
	AUTO(buf_clear) struct buf chains = BUF_INIT;
	bool inside = false;

	buf_fmt(text, "*%s\n", table);
	STRV_EACH(line, lines) {
		const char *rule = str_skip(*line, "-A ");
		auto_free char *chain = xfmt(":POUCH-%s", bridge);
		const char *rest = str_skip(*line, chain);
		const char *jump = strstr(*line, "-j POUCH-");
		size_t len;

		if (**line == '*')
			inside = strcmp(*line + 1, table) == 0;
		if (!inside)
			continue;
		/* ":POUCH-p0 ..." or ":POUCH-p0-SNAT ...", but not another bridge's ":POUCH-p01" */
		if (rest && (*rest == ' ' || *rest == '-')) {
			len = strcspn(*line + 1, " ");
			buf_fmt(text, "-F %.*s\n", (int)len, *line + 1);
			buf_fmt(&chains, "-X %.*s\n", (int)len, *line + 1);
		}
		rest = jump ? str_skip(jump + 3, chain + 1) : NULL;
		if (rule && !str_starts(rule, "POUCH-") && rest && (*rest == '\0' || *rest == ' ' || *rest == '-'))
			buf_fmt(text, "-D %s\n", rule);
	}
	buf_fmt(text, "%sCOMMIT\n", buf_cstr(&chains));
}

static int iptables_remove(struct firewall *fw, const struct network *network, struct err *err)
{
	AUTO(buf_clear) struct buf saved = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(strv_clear) struct strv lines = {0};
	int rc = iptables_save(&saved, err);

	if (rc < 0)
		return rc;
	strv_split(&lines, buf_cstr(&saved), "\n", false);
	undo_table(&text, &lines, "nat", network->info.bridge);
	undo_table(&text, &lines, "filter", network->info.bridge);
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

	return rc < 0 ? rc : run(argv, script, NULL, err);
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
