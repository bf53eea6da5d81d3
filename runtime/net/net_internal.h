/*
 * net_internal - what the files of runtime/net share. Nobody else includes this.
 */
#ifndef RUNTIME_NET_NET_INTERNAL_H
#define RUNTIME_NET_NET_INTERNAL_H

#include <netinet/in.h>
#include <pthread.h>

#include "compat/base/fit.h"
#include "runtime/net/net.h"
#include "runtime/net/netlink.h"

/* ---- addresses: IPv4 in host order -------------------------------------------------------------------------------------------- */

struct subnet {
	uint32_t addr;	/* as it was written: "192.168.5.1/24" keeps the 1 */
	int prefix;
};

#define IP_TEXT_SIZE 16
#define IP6_TEXT_SIZE 46
#define MAC_TEXT_SIZE 18

static inline uint32_t subnet_mask(const struct subnet *s)
{
	return s->prefix ? UINT32_MAX << (32 - s->prefix) : 0;
}
static inline uint32_t subnet_first(const struct subnet *s)
{
	return s->addr & subnet_mask(s);
}
static inline uint32_t subnet_last(const struct subnet *s)
{
	return subnet_first(s) | ~subnet_mask(s);
}
static inline bool subnet_has(const struct subnet *s, uint32_t ip)
{
	return (ip & subnet_mask(s)) == subnet_first(s);
}
static inline bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
	return subnet_has(a, subnet_first(b)) || subnet_has(b, subnet_first(a));
}

int ip_parse(const char *text, uint32_t *ret);
void ip_text(uint32_t ip, char dst[IP_TEXT_SIZE]);
/* "A.B.C.D/N", 1 <= N <= 30. @what is the option's name for the message. */
int subnet_parse(const char *text, const char *what, struct subnet *ret, struct err *err);
int subnet6_parse(const char *text, const char *what, struct in6_addr *ret, int *ret_prefix, struct err *err);
int mac_parse(const char *text, unsigned char ret[6]);
void mac_text(const unsigned char mac[6], char dst[MAC_TEXT_SIZE]);

/* ---- a bridge network --------------------------------------------------------------------------------------------------------- */

struct network {
	struct net_info info;	/* what is on disk; its endpoints stay empty */
	struct subnet subnet;	/* addr is the gateway's when the bridge has it */
	struct subnet range;	/* addresses for containers */
	uint32_t gateway;	/* of the containers */
	bool has_v6;
	struct in6_addr subnet6, gateway6;
	int prefix6;
	uint64_t rules_wanted;	/* counts changes of the endpoints; under net->lock */
	uint64_t rules_written; /* the count that the rules were last written for; under net->rules_lock */
};

/* ---- firewall ----------------------------------------------------------------------------------------------------------------- */

/* How rules get into the kernel: one row of the table of firewalls. */
struct firewall {
	const struct firewall_kind *kind;
	char *lock_path;	/* flock held around each change */
	const char *program;	/* "iptables" or "iptables-legacy" */
	bool wait;		/* iptables-restore knows -w */
	bool addrtype;		/* and the kernel the match of that name */
	struct fit rows[3];
	size_t row_count;
};

struct firewall_view {
	const struct network *network;
	const struct net_endpoint *const *endpoints; /* of this network */
	size_t count;
	bool loopback;		/* also connections from the host's 127.0.0.1 (needs route_localnet) */
	struct strv local;	/* firewall_lists_addresses(): the host's IPv4 addresses but 127.0.0.0/8 */
};

/* Choose the best that works; @wanted false chooses "none". */
int firewall_open(struct firewall *fw, bool wanted, const char *run_dir, struct err *err);
void firewall_close(struct firewall *fw);
/* Does firewall_apply() have to be told the host's addresses? */
bool firewall_lists_addresses(const struct firewall *fw);
/* Do published ports work by NAT? */
bool firewall_has_nat(const struct firewall *fw);
/* Write the network's chains as a whole. @first also hooks them into the built-in ones. */
int firewall_apply(struct firewall *fw, const struct firewall_view *view, bool first, struct err *err);
int firewall_remove(struct firewall *fw, const struct network *network, struct err *err);

/* ---- userland proxy ----------------------------------------------------------------------------------------------------------- */

/*
 * One process for all ports of a container. The sockets are bound here, so that a conflict is known at once; the process gets them as fds
 * and outlives us. Fills proxy_pid and proxy_start.
 */
int proxy_start(const char *program, struct net_endpoint *ep, bool v4, struct err *err);
void proxy_stop(struct net_endpoint *ep);

/* Is the port free on the host right now? Binds and closes. 0 or -errno. */
int port_probe(const struct net_port *port, uint16_t number);
/* Socket bound (and listening) for @number at @ip. fd or -errno. */
int port_bind(const char *proto, const char *ip, uint16_t number);

/* ---- endpoints on disk -------------------------------------------------------------------------------------------------------- */

/* A network's file; not the API's form of it. */
extern const struct json_table net_info_table;

typedef VEC(struct net_endpoint *) endpoint_vec;

struct net {
	pthread_mutex_t lock;		/* everything below */
	pthread_mutex_t rules_lock;	/* one change of the firewall at a time; taken without the other */
	char *state_dir, *run_dir, *proxy_program;
	char boot_id[37];
	bool disabled;			/* no default bridge */
	bool userland_proxy;
	bool loopback;			/* NAT reaches 127.0.0.1 */
	bool ip_forward;
	bool peer_elsewhere;		/* feature veth-peer-netns */
	int mtu;
	struct firewall firewall;
	VEC(struct network *) networks;
	endpoint_vec endpoints;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t idle;
		struct strv names;
		bool running;
		volatile bool hurry;	/* do not wait: we are closing */
	} reaper;
	char *none_id, *host_id;
	int64_t started_ns;
};

struct network *net_network(struct net *net, const char *name);
struct net_endpoint *net_endpoint_find(struct net *net, const char *container_id);
int endpoint_save(struct net *net, const struct net_endpoint *ep, struct err *err);
void endpoint_forget(struct net *net, const char *container_id);
void endpoint_free(struct net_endpoint *ep);
int endpoints_load(struct net *net, struct err *err);

/* Write @value to a sysctl, only when it has another one. */
int sysctl_set(const char *path, const char *value, struct err *err);

int network_open_default(struct net *net, const struct net_options *options, struct err *err);
void network_free(struct network *network);

/* Write the rules of @n for its present endpoints; @first: hook them in. Takes both locks. */
int rules_write(struct net *net, struct network *n, bool first, struct err *err);
/* Remove an interface some time later, if its namespace did not take it along. */
void reaper_add(struct net *net, const char *host_if);
/* Wait until all are removed. */
void reaper_finish(struct net *net);

/* Choose address, or check the wanted one; call with the lock. */
int ipam_pick(struct net *net, const struct network *network, const char *wanted, uint32_t *ret, struct err *err);
int ipam_pick6(struct net *net, const struct network *network, const char *wanted, uint32_t ip4, struct in6_addr *ret,
	       struct err *err);
/* Host ports for every element of @ports (published, ranges resolved); call with the lock. */
int ports_pick(struct net *net, net_port_vec *ports, struct err *err);

#endif
