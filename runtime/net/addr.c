/*
 * addr.c - addresses and subnets as text
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

int ip_parse(const char *text, uint32_t *ret)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, text, &addr) != 1)
		return -EINVAL;
	*ret = ntohl(addr.s_addr);
	return 0;
}

void ip_text(uint32_t ip, char dst[IP_TEXT_SIZE])
{
	snprintf(dst, IP_TEXT_SIZE, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

/* Splits "ADDRESS/PREFIX"; the address is left in @addr. */
static int split(const char *text, char *addr, size_t size, uint32_t max, int *ret_prefix)
{
	const char *slash = strchr(text, '/');
	uint32_t prefix;

	if (!slash || (size_t)(slash - text) >= size || str_u32(slash + 1, 10, &prefix) < 0 || prefix > max)
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	*ret_prefix = (int)prefix;
	return 0;
}

int subnet_parse(const char *text, const char *what, struct subnet *ret, struct err *err)
{
	char addr[IP_TEXT_SIZE];
	struct subnet s;

	if (split(text, addr, sizeof(addr), 30, &s.prefix) < 0 || !s.prefix || ip_parse(addr, &s.addr) < 0)
		return err_set(err, ERR_INVALID, "invalid %s '%s': want an address with a prefix of 1 to 30, as 192.168.5.1/24",
			       what, text);
	*ret = s;
	return 0;
}

int subnet6_parse(const char *text, const char *what, struct in6_addr *ret, int *ret_prefix, struct err *err)
{
	char addr[IP6_TEXT_SIZE];

	if (split(text, addr, sizeof(addr), 96, ret_prefix) < 0 || *ret_prefix < 8 ||
	    inet_pton(AF_INET6, addr, ret) != 1)
		return err_set(err, ERR_INVALID, "invalid %s '%s': want an IPv6 subnet with a prefix of 8 to 96", what, text);
	return 0;
}

int mac_parse(const char *text, unsigned char ret[6])
{
	unsigned int b[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 ||
	    text[end] || (b[0] & 1))
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		ret[i] = (unsigned char)b[i];
	return 0;
}

void mac_text(const unsigned char mac[6], char dst[MAC_TEXT_SIZE])
{
	snprintf(dst, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}
