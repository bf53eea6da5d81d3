/*
 * f_net.c - published ports and exposed ports as clients write them, addresses, and an endpoint's file
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/net/net_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ports(const char *text)
{
	AUTO(net_ports_clear) net_port_vec published = {0};
	AUTO(net_ports_clear) net_port_vec exposed = {0};
	struct err err = ERR_INIT;

	if (net_port_parse(text, &published, &err) >= 0) {
		VEC_EACH(p, &published) {
			if (!p->container_port || !p->proto || p->host_last < p->host_first)
				abort();
		}
	}
	(void)net_expose_parse(text, &exposed, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	struct err err = ERR_INIT;
	struct in6_addr addr6;
	struct subnet subnet;
	unsigned char mac[6];
	int prefix;

	memcpy(text, data, size);
	text[size] = '\0';
	ports(text);
	(void)subnet_parse(text, "x", &subnet, &err);
	(void)subnet6_parse(text, "x", &addr6, &prefix, &err);
	(void)mac_parse(text, mac);
	(void)json_parse(&net_endpoint_table, data, size, 0, "endpoint", &ep, &err);
	free(text);
	return 0;
}
