/*
 * parse - the short texts in which people write down ports, devices, limits and the like, into the API's structs.
 *
 * All append to what @ret holds already and leave it as it was on failure (ERR_INVALID, one line that quotes the text).
 */
#ifndef RUNTIME_API_PARSE_H
#define RUNTIME_API_PARSE_H

#include "runtime/api/container_config.h"

/*
 * --publish: [[IP:][HOST]:]CONTAINER[/PROTO]. Ranges: "8000-8002:80-82" (one to one), "8000-8010:80" (any of them). IPv6
 * addresses stand in brackets. Each port goes into @exposed and @bindings.
 */
int api_parse_publish(const char *spec, struct strv *exposed, struct api_port_map *bindings,
		      struct err *err);
/* --expose: "80", "80/udp", "8000-8010" -> "80/tcp" ... */
int api_parse_expose(const char *spec, struct strv *exposed, struct err *err);

/* --volume: "/path" is an anonymous volume, all else a bind; the parts are checked as far as a client can. */
int api_parse_volume(const char *spec, struct strv *volumes, struct strv *binds, struct err *err);
/* --mount type=bind,source=/a,target=/b,readonly */
int api_parse_mount(const char *spec, struct api_mount *ret, struct err *err);
/* --tmpfs /path[:options] */
int api_parse_tmpfs(const char *spec, struct strmap *ret, struct err *err);

/* --ulimit nofile=1024[:2048]; -1 or "unlimited" */
int api_parse_ulimit(const char *spec, struct api_ulimit *ret, struct err *err);
/* --device /dev/a[:/dev/b][:rwm]; "invalid device mode" for other letters. */
int api_parse_device(const char *spec, struct api_device_mapping *ret, struct err *err);
/* --device-read-bps /dev/sda:1mb (@bytes: a size) and --device-read-iops /dev/sda:1000 */
int api_parse_throttle(const char *spec, bool bytes, struct api_throttle_device *ret,
		       struct err *err);
/* --blkio-weight-device /dev/sda:500; weights are 10 to 1000, or 0 */
int api_parse_weight(const char *spec, struct api_weight_device *ret, struct err *err);
/* --restart no|always|unless-stopped|on-failure[:N] */
int api_parse_restart(const char *spec, struct api_restart_policy *ret, struct err *err);
/* "key=value"; without '=' the value is "" when @value_optional, else an error. @what names the option. */
int api_parse_pair(const char *spec, bool value_optional, const char *what, struct strmap *ret,
		   struct err *err);
/* --disk-quota "10g" (for ".*": everything) or "PATH=10g" */
int api_parse_disk_quota(const char *spec, struct strmap *ret, struct err *err);
/* --cpus 1.5 -> 1500000000 */
int api_parse_cpus(const char *spec, int64_t *ret_nano, struct err *err);
/* --add-host name:address ("host-gateway" and IPv6 in brackets are fine) */
int api_parse_extra_host(const char *spec, struct strv *ret, struct err *err);

/*
 * Lines KEY=value, or KEY to take it from this process's environment; '#' begins a comment line. @what names the file in
 * messages.
 */
int api_parse_env_file(const char *text, const char *what, struct strv *ret, struct err *err);
/* One --env: "KEY=value", or "KEY" from the environment, left out when not set there. */
int api_parse_env(const char *spec, struct strv *ret, struct err *err);

/* "a,\"b,c\",d" -> a | b,c | d: one line of CSV, as repeated list options are written. */
int api_parse_csv(const char *text, struct strv *ret, struct err *err);

/* "ctrl-p,ctrl-q" -> the bytes to type; at most 16. */
struct api_detach_keys {
	unsigned char key[16];
	size_t n;
};

int api_parse_detach_keys(const char *spec, struct api_detach_keys *ret, struct err *err);

#endif
