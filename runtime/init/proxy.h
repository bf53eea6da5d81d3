/*
 * proxy - carry connections from the host's ports to a container, where NAT cannot.
 *
 * "pouch-proxy tcp:192.168.5.2:80 udp:192.168.5.2:53 ...": one word for each socket that was inherited, from fd 3 on, bound (and
 * listening) already. One process serves all ports of a container; it knows nobody and outlives the daemon that started it.
 */
#ifndef RUNTIME_INIT_PROXY_H
#define RUNTIME_INIT_PROXY_H

/* Returns an exit code, and only when the arguments are wrong or the sockets are gone. */
int proxy_main(int argc, char **argv);

#endif
