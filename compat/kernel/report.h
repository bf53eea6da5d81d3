/*
 * report - all that is known about this host, for people ("pouch compat") and programs (GET /compat)
 */
#ifndef COMPAT_KERNEL_REPORT_H
#define COMPAT_KERNEL_REPORT_H

#include <stdbool.h>

#include "compat/base/buf.h"
#include "compat/base/json.h"

struct report_feature {
	char *name, *about, *since;
	bool works;
	char *reason;
};

struct report_backend {
	char *name;
	int32_t score;		/* 0: does not work here */
	char *reason, *loses;
	bool chosen;
};

struct report_capability {
	char *name, *about;
	char *backend;		/* the chosen one's name, "none" */
	int32_t score;
	char *reason;
	char *loses;		/* "" for nothing */
	bool forced;
	VEC(struct report_backend) backends;
};

struct compat_report {
	char *kernel, *machine;		/* uname -r, -m */
	char *version;			/* of the program that probed */
	char *home, *filesystem;	/* of the home */
	bool cached;			/* features were probed earlier in this boot */
	bool root;			/* probed as root; else much is refused that would work */
	struct strv hidden;		/* names of features */
	struct strv profiles;		/* known kernels of compat.xml that match */
	VEC(struct report_capability) capabilities;
	VEC(struct report_feature) features;
};

extern const struct json_table compat_report_table;

/* Needs compat_init(). json_clear(&compat_report_table, ret) frees it. */
void compat_report_get(struct compat_report *ret);

/*
 * For a terminal: capabilities, what is lost, and with @features the features too. Lines are folded at @width characters; 0 is not
 * folded.
 */
void compat_report_print(const struct compat_report *report, bool features, int width,
			 struct buf *out);

#endif
