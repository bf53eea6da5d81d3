/*
 * report - all that is known about this host
 */
#include "compat/kernel/report.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/base/version.h"
#include "compat/kernel/capability_state.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/place.h"
#include "compat/kernel/profile.h"

static const struct json_field feature_fields[] = {
	JSON_FIELD(struct report_feature, name, "Name", JSON_STR, 0),
	JSON_FIELD(struct report_feature, about, "About", JSON_STR, 0),
	JSON_FIELD(struct report_feature, since, "Since", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct report_feature, works, "Works", JSON_BOOL, 0),
	JSON_FIELD(struct report_feature, reason, "Reason", JSON_STR, 0),
};
static const struct json_table feature_table =
	JSON_TABLE("feature", struct report_feature, feature_fields);

static const struct json_field backend_fields[] = {
	JSON_FIELD(struct report_backend, name, "Name", JSON_STR, 0),
	JSON_FIELD(struct report_backend, score, "Score", JSON_I32, 0),
	JSON_FIELD(struct report_backend, reason, "Reason", JSON_STR, 0),
	JSON_FIELD(struct report_backend, loses, "Loses", JSON_STR, 0),
	JSON_FIELD(struct report_backend, chosen, "Chosen", JSON_BOOL, 0),
};
static const struct json_table backend_table =
	JSON_TABLE("backend", struct report_backend, backend_fields);

static const struct json_field capability_fields[] = {
	JSON_FIELD(struct report_capability, name, "Name", JSON_STR, 0),
	JSON_FIELD(struct report_capability, about, "About", JSON_STR, 0),
	JSON_FIELD(struct report_capability, backend, "Backend", JSON_STR, 0),
	JSON_FIELD(struct report_capability, score, "Score", JSON_I32, 0),
	JSON_FIELD(struct report_capability, reason, "Reason", JSON_STR, 0),
	JSON_FIELD(struct report_capability, loses, "Loses", JSON_STR, 0),
	JSON_FIELD(struct report_capability, forced, "Forced", JSON_BOOL, 0),
	JSON_SUB(struct report_capability, backends, "Backends", JSON_VEC, 0, &backend_table),
};
static const struct json_table capability_table =
	JSON_TABLE("capability", struct report_capability, capability_fields);

static const struct json_field report_fields[] = {
	JSON_FIELD(struct compat_report, kernel, "KernelVersion", JSON_STR, 0),
	JSON_FIELD(struct compat_report, machine, "Architecture", JSON_STR, 0),
	JSON_FIELD(struct compat_report, version, "Version", JSON_STR, 0),
	JSON_FIELD(struct compat_report, home, "Home", JSON_STR, 0),
	JSON_FIELD(struct compat_report, filesystem, "HomeFilesystem", JSON_STR, 0),
	JSON_FIELD(struct compat_report, cached, "Cached", JSON_BOOL, 0),
	JSON_FIELD(struct compat_report, root, "Root", JSON_BOOL, 0),
	JSON_FIELD(struct compat_report, hidden, "Hidden", JSON_STRV, 0),
	JSON_FIELD(struct compat_report, profiles, "Profiles", JSON_STRV, 0),
	JSON_SUB(struct compat_report, capabilities, "Capabilities", JSON_VEC, 0,
		 &capability_table),
	JSON_SUB(struct compat_report, features, "Features", JSON_VEC, 0, &feature_table),
};
const struct json_table compat_report_table =
	JSON_TABLE("compat report", struct compat_report, report_fields);

/* ---- get ---- */

static void add_capability(struct compat_report *r, enum capability c)
{
	struct report_capability *to = VEC_ADD(&r->capabilities);
	const struct fit *choice = compat_choice(c), *fits;
	size_t n;

	to->name = xstrdup(capability_name(c));
	to->about = xstrdup(capability_about(c));
	to->backend = xstrdup(choice->name);
	to->score = choice->score;
	to->reason = xstrdup(choice->reason);
	to->loses = xstrdup("");
	to->forced = capability_forced(c) != NULL;
	fits = capability_rows(c, &n);
	for (size_t i = 0; i < n; i++) {
		struct report_backend *b = VEC_ADD(&to->backends);

		b->name = xstrdup(fits[i].name);
		b->score = fits[i].score;
		b->reason = xstrdup(fits[i].reason);
		b->loses = xstrdup(capability_loses(c, i));
		b->chosen = str_eq(fits[i].name, choice->name);
		if (b->chosen)
			str_set(&to->loses, b->loses);
	}
}

void compat_report_get(struct compat_report *ret)
{
	struct utsname uts = {0};
	char fstype[32];

	*ret = (struct compat_report){0};
	(void)uname(&uts);	/* fails for a bad pointer only */
	place_fstype(compat_home(), fstype);
	ret->kernel = xstrdup(uts.release);
	ret->machine = xstrdup(uts.machine);
	ret->version = xstrdup(version_string());
	ret->home = xstrdup(compat_home());
	ret->filesystem = xstrdup(fstype);
	ret->cached = compat_is_cached();
	ret->root = geteuid() == 0;
	strv_split(&ret->hidden, hide_list(), ",", false);
	strv_add_all(&ret->profiles, &compat_profile()->kernels);
	for (enum capability c = 0; c < CAPABILITY_COUNT; c++)
		add_capability(ret, c);
	for (enum feature f = 0; f < FEATURE_COUNT; f++) {
		struct report_feature *to = VEC_ADD(&ret->features);

		to->name = xstrdup(feature_name(f));
		to->about = xstrdup(feature_about(f));
		to->since = xstrdup(feature_since(f));
		to->works = feature_works(f);
		to->reason = xstrdup(feature_reason(f));
	}
}

/* ---- print ---- */

/* @text from column @indent on, folded at blanks. The cursor stands at @indent already. */
static void fold(struct buf *out, const char *text, int indent, int width)
{
	int column = indent;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (width && column > indent && column + 1 + (int)n > width) {
			buf_fmt(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			buf_char(out, ' ');
			column++;
		}
		buf_add(out, text, n);
		column += (int)n;
		text += n + (text[n] == ' ');
	}
	buf_char(out, '\n');
}

/* Where the reason begins: "%-16s %c %-15s %5s  ". */
enum { REASON_COLUMN = 16 + 1 + 1 + 1 + 15 + 1 + 5 + 2 };

static void print_row(struct buf *out, const char *first, bool chosen, const char *name, int score,
		      const char *reason, int width)
{
	char points[16] = "no";

	if (score > 0)
		(void)snprintf(points, sizeof(points), "%d", score);
	buf_fmt(out, "%-16s %c %-15s %5s  ", first, chosen ? '*' : ' ', name, points);
	fold(out, reason, REASON_COLUMN, width);
}

/* What the user loses, or would. */
static void print_loss(struct buf *out, const struct report_backend *b, int width)
{
	auto_free char *text = xfmt("%s: %s", b->chosen ? "lost" : "would lose", b->loses);

	if (str_empty(b->loses))
		return;
	buf_fmt(out, "%*s", REASON_COLUMN, "");
	fold(out, text, REASON_COLUMN, width);
}

static void print_capability(const struct report_capability *c, int width, struct buf *out)
{
	const char *first = c->name;

	VEC_EACH(b, &c->backends) {
		print_row(out, first, b->chosen, b->name, b->score, b->reason, width);
		print_loss(out, b, width);
		first = "";
	}
	if (!c->backends.n)
		print_row(out, first, false, c->backend, c->score, c->reason, width);
	if (c->forced) {
		buf_fmt(out, "%*sforced by compat.xml\n", REASON_COLUMN, "");
	}
}

static void print_head(const struct compat_report *r, struct buf *out)
{
	auto_free char *hidden_names = strv_join(&r->hidden, " ");
	auto_free char *profiles = strv_join(&r->profiles, ", ");

	buf_fmt(out, "Kernel:   %s %s%s%s%s\n", r->kernel, r->machine, *profiles ? " (" : "",
		profiles, *profiles ? ")" : "");
	buf_fmt(out, "Home:     %s on %s\n", r->home, r->filesystem);
	buf_fmt(out, "Probed:   %s, pouch %s\n",
		r->cached ? "earlier in this boot" : "just now", r->version);
	if (*hidden_names)
		buf_fmt(out, "Hidden:   %s\n", hidden_names);
	if (!r->root)
		buf_str(out, "Note:     not run as root: much is refused here that the daemon can do\n");
	buf_char(out, '\n');
}

/* "%-22s %-5s %-7s ". */
enum { FEATURE_REASON_COLUMN = 22 + 1 + 5 + 1 + 7 + 1 };

static void print_features(const struct compat_report *r, int width, struct buf *out)
{
	buf_fmt(out, "\n%-22s %-5s %-7s %s\n", "FEATURE", "WORKS", "SINCE", "REASON");
	VEC_EACH(f, &r->features) {
		buf_fmt(out, "%-22s %-5s %-7s ", f->name, f->works ? "yes" : "no",
			str_empty(f->since) ? "" : f->since);
		fold(out, f->reason, FEATURE_REASON_COLUMN, width);
	}
}

void compat_report_print(const struct compat_report *r, bool features, int width, struct buf *out)
{
	size_t works = 0;

	if (width && width < REASON_COLUMN + 20)
		width = REASON_COLUMN + 20;
	print_head(r, out);
	buf_fmt(out, "%-16s   %-15s %5s  %s\n", "CAPABILITY", "BACKEND", "SCORE", "REASON");
	VEC_EACH(c, &r->capabilities)
		print_capability(c, width, out);
	if (features) {
		print_features(r, width, out);
		return;
	}
	VEC_EACH(f, &r->features)
		works += f->works;
	buf_fmt(out, "\n%zu of %zu kernel features work (pouch compat --all lists them)\n", works,
		r->features.n);
}
